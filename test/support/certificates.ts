/** Authorities and certificates of users, made by ssh-keygen. */
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute, type Person } from './door.js';
import { temporaryFolder } from './temporary.js';

/** A CA, as an operator makes one. */
export class UserAuthority {
  readonly keyFile: string;

  private constructor(keyFile: string) {
    this.keyFile = keyFile;
  }

  static async make(...options: readonly string[]): Promise<UserAuthority> {
    const keyFile = join(temporaryFolder('ca'), 'user_ca');
    const type = options.length > 0 ? options : ['-t', 'ed25519'];
    await must('ssh-keygen', '-q', ...type, '-N', '', '-C', 'user-ca', '-f', keyFile);
    return new UserAuthority(keyFile);
  }

  /** `<type> <base64> user-ca`. */
  get line(): string {
    return readFileSync(`${this.keyFile}.pub`, 'utf8').trim();
  }

  async fingerprint(): Promise<string> {
    return fingerprintOf(`${this.keyFile}.pub`);
  }

  /** A certificate of a person's key. @returns its file. */
  async sign(person: Pick<Person, 'publicKeyFile'>, ...options: readonly string[]): Promise<string> {
    const folder = temporaryFolder('certificate');
    copyFileSync(person.publicKeyFile, join(folder, 'id.pub'));
    await must('ssh-keygen', '-q', '-s', this.keyFile, ...options, join(folder, 'id.pub'));
    return join(folder, 'id-cert.pub');
  }
}

export async function fingerprintOf(publicKeyFile: string): Promise<string> {
  const [, fingerprint = ''] = (await must('ssh-keygen', '-l', '-f', publicKeyFile)).split(' ');
  return fingerprint;
}

async function must(command: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await execute(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
