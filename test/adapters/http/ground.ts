/** A platform and its client, for the tests of the HTTP adapters to stand on. */
import { expect } from '@jest/globals';
import { MemoryClock } from '../../../src/adapters/memory/clock.js';
import { MemoryObserver } from '../../../src/adapters/memory/observer.js';
import { HttpProvisioner } from '../../../src/adapters/http/http-provisioner.js';
import {
  DEFAULT_PLATFORM_LIMITS,
  PlatformClient,
  type PlatformSettings,
} from '../../../src/adapters/http/platform-client.js';
import type { TlsTrust } from '../../../src/adapters/remote/tls.js';
import { sampleCaller } from '../../../src/contracts/samples.js';
import { Authority, type Identity } from '../../support/openruko/certificates.js';
import { PlatformServer, SECRET, type PlatformOptions } from '../../support/platform/platform-server.js';

export interface Ground {
  readonly authority: Authority;
  readonly identity: Identity;
  readonly trust: TlsTrust;
}

let ground: Ground | undefined;

/** Keys take a moment to make: one authority serves a test file. */
export function openGround(): Ground {
  if (ground !== undefined) return ground;
  const authority = new Authority();
  const trust: TlsTrust = { ca: authority.certificate, minVersion: 'TLSv1.2', verify: true };
  ground = { authority, identity: authority.issue(), trust };
  return ground;
}

/** With times that a healthy machine never needs, and no pauses to speak of. */
export function settingsFor(url: string, more: Partial<PlatformSettings> = {}): PlatformSettings {
  return {
    ...DEFAULT_PLATFORM_LIMITS,
    url,
    auth: { kind: 'hmac', secret: SECRET },
    trust: openGround().trust,
    // No test but those of the breaker itself is about it.
    breaker: { failures: 1_000, restMs: 1 },
    firstPauseMs: 2,
    ...more,
  };
}

export const caller = sampleCaller('alice');

export class House {
  readonly observer = new MemoryObserver();
  readonly clock = new MemoryClock();
  readonly provisioner: HttpProvisioner;

  private constructor(
    readonly server: PlatformServer,
    readonly client: PlatformClient,
  ) {
    this.provisioner = new HttpProvisioner(client, this.observer, this.clock);
  }

  static async open(options: PlatformOptions = {}, more: Partial<PlatformSettings> = {}): Promise<House> {
    const server = await PlatformServer.start({ identity: openGround().identity, ...options });
    return new House(server, new PlatformClient(settingsFor(server.url, more)));
  }

  /** One user and one app of theirs. */
  static async populated(options: PlatformOptions = {}, more: Partial<PlatformSettings> = {}): Promise<House> {
    const house = await House.open(options, more);
    house.server.people.register('alice', caller.key.blob);
    house.server.people.createApp('shop', 'alice');
    return house;
  }

  async close(): Promise<void> {
    this.provisioner.close();
    this.client.close();
    await this.server.stop();
    // Whatever a test is about: nobody has left the contract.
    expect(this.server.violations).toEqual([]);
    expect(this.clock.sleeping).toBe(0);
  }
}

/** Runs in a populated house, and closes it. */
export async function inHouse(
  use: (house: House) => Promise<void>,
  options: PlatformOptions = {},
  more: Partial<PlatformSettings> = {},
): Promise<void> {
  const house = await House.populated(options, more);
  try {
    await use(house);
  } finally {
    await house.close();
  }
}
