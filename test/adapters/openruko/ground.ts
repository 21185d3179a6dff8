/** Servers and settings that the tests of the Openruko adapters stand on. */
import { ApiClient, DEFAULT_API_LIMITS, type ApiSettings } from '../../../src/adapters/openruko/api-client.js';
import type { TlsTrust } from '../../../src/adapters/remote/tls.js';
import { ApiServer, SERVICE_KEY, type ApiServerOptions } from '../../support/openruko/api-server.js';
import { Authority, type Identity } from '../../support/openruko/certificates.js';

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

export function settingsFor(port: number, more: Partial<ApiSettings> = {}): ApiSettings {
  return {
    ...DEFAULT_API_LIMITS,
    protocol: 'https',
    host: '127.0.0.1',
    port,
    trust: openGround().trust,
    serviceKey: SERVICE_KEY,
    ...more,
  };
}

export interface House {
  readonly server: ApiServer;
  readonly client: ApiClient;
  close(): Promise<void>;
}

/** An API server and its client. */
export async function openHouse(
  options: Partial<ApiServerOptions> = {},
  more: Partial<ApiSettings> = {},
): Promise<House> {
  const server = await ApiServer.start({ identity: openGround().identity, ...options });
  const client = new ApiClient(settingsFor(server.port, more));
  return {
    server,
    client,
    async close() {
      client.close();
      await server.stop();
    },
  };
}
