import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import type { AppKeeper } from '../../adapters/embedded/app-keeper.js';
import { openAppKeeper } from '../platforms/embedded.js';
import { day, json, table, terminal } from './output.js';
import type { Configure, WithPlatform } from './context.js';

/** `app …`: what can be pushed to, and by whom. */
export function addAppCommands(program: Command, configure: Configure, withPlatform: WithPlatform): void {
  const app = program.command('app').description('Manage apps.');
  const withKeeper = async (action: (keeper: AppKeeper) => Promise<void>) => {
    const { keeper, close } = await openAppKeeper(configure());
    try {
      await action(keeper);
    } finally {
      close();
    }
  };

  app
    .command('create <name>')
    .description('Create an app, empty or as a copy of a repository on this machine.')
    .requiredOption('--owner <user>', 'user who owns it')
    .option('--import <folder>', 'repository to copy: its refs and objects, not its config or hooks')
    .action(async (name: string, options: { owner: string; import?: string }) => {
      const source = options.import === undefined ? undefined : resolve(options.import);
      await withKeeper((keeper) => keeper.create(name, options.owner, source));
      terminal.out(`Created the app ${name}, owned by ${options.owner}.`);
    });
  app
    .command('list')
    .description('List the apps.')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) => {
      withPlatform(({ apps }) => {
        const list = apps.list();
        const rows = list.map((one) => [
          one.name,
          one.owner,
          one.branch ?? '-',
          one.archive ? 'on' : 'off',
          one.shares.map(({ user, access }) => `${user} (${access})`).join(', ') || '-',
          day(one.createdAt),
        ]);
        const headings = ['APP', 'OWNER', 'BRANCH', 'ARCHIVE', 'SHARED WITH', 'SINCE'];
        const nothing = 'No apps yet. A push creates one, or: gitmouth app create NAME --owner USER';
        terminal.out(options.json ? json(list) : table(headings, rows, nothing));
      });
    });
  app
    .command('share <name> <user>')
    .description('Let a user read an app, or push to it.')
    .option('--access <access>', 'read or write', choice('read', 'write'), 'read')
    .action((name: string, user: string, { access }: { access: 'read' | 'write' }) => {
      withPlatform(({ apps }) => {
        apps.share(name, user, access);
        terminal.out(`${user} may now ${access === 'write' ? 'read and push to' : 'read'} ${name}.`);
      });
    });
  app
    .command('unshare <name> <user>')
    .description("Take a user's access to an app back.")
    .action((name: string, user: string) => {
      withPlatform(({ apps }) => {
        apps.unshare(name, user);
        terminal.out(`${user} has no access to ${name} any more.`);
      });
    });
  app
    .command('set <name>')
    .description('Change an app.')
    .option('--branch <branch>', 'the branch that is deployed')
    .option('--archive <on|off>', 'whether git archive --remote is allowed', choice('on', 'off'))
    .option('--owner <user>', 'pass it on to another user')
    .action((name: string, options: { branch?: string; archive?: 'on' | 'off'; owner?: string }) => {
      if (Object.keys(options).every((key) => key === 'data' || key === 'config')) {
        throw new Error('say what to set: --branch BRANCH, --archive on|off or --owner USER');
      }
      withPlatform(({ apps }, transaction) => {
        transaction(() => {
          if (options.branch !== undefined) apps.setBranch(name, options.branch);
          if (options.archive !== undefined) apps.setArchive(name, options.archive === 'on');
          if (options.owner !== undefined) apps.setOwner(name, options.owner);
        });
        terminal.out(`Changed ${name}.`);
      });
    });
  app
    .command('destroy <name>')
    .description('Destroy an app with its repository, once no push to it is running. There is no way back.')
    .action(async (name: string) => {
      await withKeeper((keeper) => keeper.destroy(name));
      terminal.out(`Destroyed the app ${name}.`);
    });
}

function choice<T extends string>(...allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((value) => value === text);
    if (found === undefined) throw new InvalidArgumentError(`It must be ${allowed.join(' or ')}.`);
    return found;
  };
}
