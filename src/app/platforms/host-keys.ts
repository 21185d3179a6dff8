/** The server's own keys: from files, or from the platform, so that all gitmouths of one have the same. */
import { loadHostKeys, readyHostKeys, type HostKey } from '../../adapters/ssh2/host-keys/files.js';
import { offeredHostKeys, type OfferedHostKey } from '../../adapters/ssh2/host-keys/offered.js';
import type { Config } from '../config.js';
import { holdingProcess } from '../hold-process.js';
import { hostKeysAt } from '../host-keys-at.js';
import { reasonOf } from '../reason.js';

export interface ReadyHostKeys {
  readonly keys: readonly HostKey[];
  /** Writes those that were made. @throws Error where it can't. */
  keep(): void;
}

/** Gives the host keys that the platform keeps. @throws Error that says why not. */
export type AskForHostKeys = () => Promise<readonly OfferedHostKey[]>;

/**
 * The host keys that a configuration wants; those of files are made where they are missing.
 * @param ask where they are to come from the platform.
 * @throws Error that says what to do, when they can't be had or used; nothing has changed then.
 */
export async function hostKeysFor(config: Config, ask: AskForHostKeys | undefined): Promise<ReadyHostKeys> {
  if (ask === undefined) return readyHostKeys(...hostKeysAt(config));
  return { keys: await askedHostKeys(config, ask), keep: () => undefined };
}

/** The host keys that are there already, for who only looks. @throws Error as `hostKeysFor`. */
export async function hostKeysNow(config: Config): Promise<readonly HostKey[]> {
  const { platform } = config;
  if (platform.kind !== 'http' || platform.hostKeysFrom === 'files') return loadHostKeys(...hostKeysAt(config));
  const { openPlatformClient } = await import('./http.js');
  const client = openPlatformClient(platform);
  try {
    return await askedHostKeys(config, () => client.hostKeys(new AbortController().signal));
  } finally {
    client.close();
  }
}

async function askedHostKeys({ algorithms }: Config, ask: AskForHostKeys): Promise<readonly HostKey[]> {
  try {
    return offeredHostKeys(await holdingProcess(ask), algorithms);
  } catch (cause) {
    throw new Error(
      `the host keys can't be had from the platform (GITMOUTH_HOST_KEYS_FROM=platform): ${reasonOf(cause)}`,
      { cause },
    );
  }
}

/** A host key as people are told of it. */
export interface ShownHostKey {
  readonly algorithm: string;
  /** `SHA256:…` */
  readonly fingerprint: string;
  /** `<type> <base64>`: a line of `known_hosts` without the host's name. */
  readonly publicKey: string;
  /** By a current one the server proves itself; clients are told of a next one. */
  readonly state: 'current' | 'next';
}

export function shownHostKey({ algorithm, fingerprint, publicLine, state }: HostKey): ShownHostKey {
  return { algorithm, fingerprint, publicKey: publicLine, state };
}

/** As in a log: `ssh-ed25519 SHA256:…`, and whether it is a next one. */
export function hostKeyText({ algorithm, fingerprint, state }: Omit<ShownHostKey, 'publicKey'>): string {
  return `${algorithm} ${fingerprint}${state === 'next' ? ' (next)' : ''}`;
}
