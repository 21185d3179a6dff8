/** The settings of operating: the file of settings, health, and the beginning of a drain. */
import { z } from 'zod';
import { address, seconds } from './setting-checks.js';

export const OPERATING_SETTINGS = {
  GITMOUTH_CONFIG: [
    z.string(),
    '',
    'File of settings in the form of `.env.example`, read at the start and again at SIGHUP; the environment goes before it.',
  ],
  GITMOUTH_DRAIN_DELAY_SECONDS: [
    seconds(0, 3600),
    '0',
    'How long `/readyz` says no after SIGTERM before the listener closes, everything being served until then, in seconds.',
  ],
  GITMOUTH_HEALTH_LISTEN: [
    address('must be HOST:PORT, such as 127.0.0.1:8022 or [::]:8022'),
    '',
    'Address and port that serve `/livez` and `/readyz` over HTTP, for balancers and supervisors; unset, none.',
  ],
} as const;
