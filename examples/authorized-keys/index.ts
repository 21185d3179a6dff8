/** For GITMOUTH_ADAPTERS: users from the file that AUTHORIZED_KEYS names. */
import { resolve } from 'node:path';
import { tokens } from 'gitmouth';
import { ContainerModule } from 'inversify';
import { AuthorizedKeys } from './authorized-keys.js';

const path = resolve(process.env['AUTHORIZED_KEYS'] ?? 'authorized_keys');

export default new ContainerModule(({ bind, rebind }) => {
  const keys = new AuthorizedKeys(path);
  rebind(tokens.authenticator).toConstantValue(keys);
  bind(tokens.lifecycle).toConstantValue({
    async prepare() {
      await keys.users().catch((cause: unknown) => {
        throw new Error(`AUTHORIZED_KEYS is ${path}, and can't be used: ${String(cause)}`, { cause });
      });
    },
    finish: () => Promise.resolve(),
    close: () => undefined,
  });
});
