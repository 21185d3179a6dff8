/** The built program in front of a platform's own API, with dynos that are reached over SSH. */
import { Door, type Person } from '../../support/door.js';
import { PlatformInstallation } from '../../support/platform/installation.js';
import type { BindingBody } from '../../support/platform/people-and-apps.js';
import { Running } from '../../support/running.js';
import { temporaryFolder } from '../../support/temporary.js';

export const FAULT_WORDS = 'This is a fault on our side and not a refusal: try again in a moment.';

export interface Place {
  readonly platform: PlatformInstallation;
  readonly door: Door;
  /** Someone whose key the platform knows. */
  person(name: string, binding?: BindingBody): Promise<Person>;
  close(): Promise<void>;
}

export async function openPlace(environment: Record<string, string> = {}): Promise<Place> {
  const platform = await PlatformInstallation.start(temporaryFolder('platform'));
  const door = new Door({ ...platform.environment, ...environment });
  const close = async () => {
    await door.stop();
    await platform.stop();
  };
  try {
    const shown = await door.cli('dynokey', 'show');
    if (shown.code !== 0) throw new Error(shown.stderr);
    platform.dynoKey = shown.stdout.trim();
    await platform.startDynos();
    await door.start();
  } catch (error) {
    await close();
    throw error;
  }
  const person = async (name: string, binding?: BindingBody) => {
    const made = await door.person(name, { isStranger: true });
    platform.register(name.replace(/-.*$/, ''), made.publicKeyFile, binding);
    return made;
  };
  return { platform, door, person, close };
}

/** A push whose words are watched while it runs. */
export function pushing(person: Person, work: string, app: string, what = 'main'): Running {
  return new Running('git', ['push', person.url(app), what], { cwd: work, env: person.environment });
}
