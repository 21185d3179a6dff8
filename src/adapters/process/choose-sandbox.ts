import type { ProbeResult } from './probe.js';
import type { Sandbox } from './sandbox.js';

/** `auto`: bubblewrap, or nothing where only this machine can come in. */
export type SandboxSetting = 'auto' | 'bubblewrap' | 'none';

export interface SandboxChoice {
  readonly sandbox: Sandbox;
  /** To be told loudly at every start. */
  readonly warning?: string;
}

/**
 * @param make builds one of the two; called for those that are considered alone.
 * @param probe as `probeSandbox`, for the sandbox that was made.
 * @throws Error, in words for the operator, when dynos can't run the way the setting asks.
 */
export async function chooseSandbox(
  setting: SandboxSetting,
  isForThisMachineAlone: boolean,
  make: (name: Sandbox['name']) => Sandbox,
  probe: (sandbox: Sandbox) => Promise<ProbeResult>,
): Promise<SandboxChoice> {
  if (setting === 'none') return withoutSandbox('GITMOUTH_SANDBOX=none', make, probe);
  const sandbox = make('bubblewrap');
  const result = await probe(sandbox);
  if (result.ok) return { sandbox };
  const reason = `${result.problem} (${result.advice})`;
  if (setting === 'auto' && isForThisMachineAlone)
    return withoutSandbox(`no sandbox works here: ${reason}`, make, probe);
  throw new Error(`dynos can not be isolated: ${reason}. ${waysOn(setting)}`);
}

function waysOn(setting: 'auto' | 'bubblewrap'): string {
  const atOwnRisk =
    'set GITMOUTH_SANDBOX=none if everybody who may push may also do anything as the user that runs dynos';
  return setting === 'auto'
    ? `Put that right, listen on 127.0.0.1 alone and for no proxy, or ${atOwnRisk}.`
    : `Put that right, or ${atOwnRisk}.`;
}

async function withoutSandbox(
  reason: string,
  make: (name: Sandbox['name']) => Sandbox,
  probe: (sandbox: Sandbox) => Promise<ProbeResult>,
): Promise<SandboxChoice> {
  const sandbox = make('none');
  const result = await probe(sandbox);
  if (!result.ok) throw new Error(`dynos can not run: ${result.problem} (${result.advice}).`);
  const warning = `DYNOS ARE NOT ISOLATED: ${reason}. Hooks and builds can read and change whatever the user that runs them can.`;
  return { sandbox, warning };
}
