import { join } from 'node:path';
import { HttpAccessControl } from '../../adapters/http/http-access-control.js';
import { HttpAuthenticator } from '../../adapters/http/http-authenticator.js';
import { HttpProvisioner } from '../../adapters/http/http-provisioner.js';
import { DEFAULT_PLATFORM_LIMITS, PlatformClient } from '../../adapters/http/platform-client.js';
import { WHOSE } from '../../adapters/http/whose.js';
import { inStage } from '../../adapters/remote/in-stage.js';
import { WatchingLiveConnections } from '../../adapters/remote/watching-live-connections.js';
import { loadOrCreateClientKey, type ClientKey } from '../../adapters/ssh-dyno/client-key.js';
import { DEFAULT_SSH_DYNO_LIMITS } from '../../adapters/ssh-dyno/settings.js';
import { SshDynoTransport } from '../../adapters/ssh-dyno/ssh-dyno-transport.js';
import type { Config } from '../config.js';
import { makeDataFolder } from '../data-folder.js';
import { platformWarnings, type HttpPlatformConfig } from '../platform-config.js';
import type { Platform } from './platform.js';

/** Any platform, by its own API, with dynos that are reached over SSH. */
export function http(config: Config, platform: HttpPlatformConfig): Platform {
  makeDataFolder(config);
  const clientKey = dynoKey(config, platform);
  const client = openPlatformClient(platform);
  let provisioner: HttpProvisioner | undefined;
  let transport = transportOf(config, platform, clientKey);
  const close = () => {
    provisioner?.close();
    client.close();
  };
  return {
    warnings: platformWarnings(platform),
    authenticator: () => new HttpAuthenticator(client),
    accessControl: () => new HttpAccessControl(client),
    provisioner(_locks, observer, clock) {
      provisioner = new HttpProvisioner(client, observer, clock);
      return provisioner;
    },
    transport: () => ({
      kind: transport.kind,
      capabilities: transport.capabilities,
      open: (dyno, signal) => transport.open(dyno, signal),
    }),
    connections: (authenticator, clock) => new WatchingLiveConnections(authenticator, clock),
    ...(platform.hostKeysFrom === 'platform' ? { hostKeys: () => client.hostKeys(new AbortController().signal) } : {}),
    lifecycle: () => ({
      prepare: () => Promise.resolve(),
      finish: (signal) => provisioner?.finish(signal) ?? Promise.resolve(),
      close,
    }),
    authorities: (signal) => inStage('identify', WHOSE, signal, () => client.listAuthorities(signal)),
    reload: async (wanted) => ({
      warnings: [],
      begin: () => {
        transport = transportOf(wanted, platform, clientKey);
      },
    }),
    close,
  };
}

function transportOf({ limits }: Config, { dynos }: HttpPlatformConfig, clientKey: ClientKey): SshDynoTransport {
  return new SshDynoTransport({
    ...DEFAULT_SSH_DYNO_LIMITS,
    clientKey: clientKey.privateKey,
    variables: dynos.variables,
    connectMs: dynos.connectMs,
    graceMs: limits.terminateGraceMs,
  });
}

export function openPlatformClient({ api }: HttpPlatformConfig): PlatformClient {
  const { provisionMs, callMs, ...rest } = api;
  return new PlatformClient({ ...DEFAULT_PLATFORM_LIMITS, ...rest, connectMs: callMs, callMs, openMs: provisionMs });
}

/** What dynos let gitmouth in by; made at the first start where the operator has named none. */
export function dynoKey(config: Config, platform: HttpPlatformConfig): ClientKey {
  return loadOrCreateClientKey(dynoKeyPath(config, platform));
}

export function dynoKeyPath({ dataFolder }: Config, { dynos }: HttpPlatformConfig): string {
  return dynos.keyFile ?? join(dataFolder, 'dyno_ed25519_key');
}
