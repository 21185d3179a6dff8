/** The built program in front of an Openruko installation, and people whose keys that one knows. */
import { expect } from '@jest/globals';
import { Door, type Person } from '../../support/door.js';
import { SERVICE_KEY } from '../../support/openruko/api-server.js';
import { Installation, md5OfKeyFile, type InstallationOptions } from '../../support/openruko/installation.js';
import { Running } from '../../support/running.js';
import { temporaryFolder } from '../../support/temporary.js';

export interface Place {
  readonly openruko: Installation;
  readonly door: Door;
  /** Someone whose key the API server knows, by this number. */
  person(name: string, id: string): Promise<Person>;
  /** One more program in front of the same installation; stopped with the rest. */
  another(environment: Record<string, string>): Promise<Door>;
  close(): Promise<void>;
}

export async function openPlace(
  options: InstallationOptions = {},
  environment: Record<string, string> = {},
): Promise<Place> {
  const openruko = await Installation.start(temporaryFolder('openruko'), options);
  const doors: Door[] = [];
  const another = async (more: Record<string, string>) => {
    const door = new Door({ ...openruko.environment, ...more });
    doors.push(door);
    await door.start();
    return door;
  };
  const close = async () => {
    await Promise.all(doors.map((door) => door.stop()));
    await openruko.stop();
  };
  try {
    const door = await another(environment);
    const person = async (name: string, id: string) => {
      const made = await door.person(name, { isStranger: true });
      openruko.api.register(id, md5OfKeyFile(made.publicKeyFile));
      return made;
    };
    return { openruko, door, person, another, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A push whose words are watched while it runs. */
export function pushing(person: Person, work: string, app: string, what = 'main'): Running {
  return new Running('git', ['push', person.url(app), what], { cwd: work, env: person.environment });
}

/** Neither the service's key nor a user's is anywhere in it, plain or as it goes over the wire. */
export function expectNoSecrets(text: string, openruko: Installation): void {
  expect(text.length).toBeGreaterThan(0);
  for (const secret of [SERVICE_KEY, ...openruko.api.apiKeys]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain(Buffer.from(`:${secret}`).toString('base64'));
  }
}

export const FAULT_WORDS = 'This is a fault on our side and not a refusal: try again in a moment.';
