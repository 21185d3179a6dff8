import { ApiClient, DEFAULT_API_LIMITS } from '../../adapters/openruko/api-client.js';
import { OpenrukoAccessControl } from '../../adapters/openruko/openruko-access-control.js';
import { OpenrukoAuthenticator } from '../../adapters/openruko/openruko-authenticator.js';
import { OpenrukoProvisioner } from '../../adapters/openruko/openruko-provisioner.js';
import { DEFAULT_RENDEZVOUS_LIMITS, RendezvousTransport } from '../../adapters/openruko/rendezvous-transport.js';
import { WatchingLiveConnections } from '../../adapters/remote/watching-live-connections.js';
import type { Config } from '../config.js';
import { makeDataFolder } from '../data-folder.js';
import { platformWarnings, type OpenrukoConfig } from '../platform-config.js';
import type { Platform } from './platform.js';

/** An Openruko installation: its API server, and the dyno hosts that one names. */
export function openruko(config: Config, platform: OpenrukoConfig): Platform {
  makeDataFolder(config);
  const api = openApi(platform);
  const { port, trust, connectMs, startMs } = platform.dynoHost;
  const { serviceKey } = platform.api;
  const close = () => {
    api.close();
  };
  return {
    warnings: platformWarnings(platform),
    authenticator: () => new OpenrukoAuthenticator(api),
    accessControl: () => new OpenrukoAccessControl(api),
    provisioner: () => new OpenrukoProvisioner(api),
    transport: () =>
      new RendezvousTransport({
        ...DEFAULT_RENDEZVOUS_LIMITS,
        port,
        serviceKey,
        trust,
        connectMs,
        firstWordMs: startMs,
      }),
    connections: (authenticator, clock) => new WatchingLiveConnections(authenticator, clock),
    lifecycle: () => ({ prepare: () => Promise.resolve(), finish: () => Promise.resolve(), close }),
    close,
  };
}

export function openApi({ api }: OpenrukoConfig): ApiClient {
  const { provisionMs, callMs, ...rest } = api;
  return new ApiClient({ ...DEFAULT_API_LIMITS, ...rest, connectMs: callMs, callMs, gitActionMs: provisionMs });
}
