/** Files that are no code: beside this one, in the source tree and in the built program alike. */
import { fileURLToPath } from 'node:url';

/** The hooks git runs in a dyno. Each hands over to the operator's hook of its name. */
export const HOOKS_FOLDER = fileURLToPath(new URL('./hooks', import.meta.url));

/** What a dyno sees as /etc/passwd and /etc/group: its own user, whom no account of this machine needs to match. */
export const PASSWD_FILE = fileURLToPath(new URL('./etc/passwd', import.meta.url));
export const GROUP_FILE = fileURLToPath(new URL('./etc/group', import.meta.url));
export const DYNO_UID = 1000;
export const DYNO_GID = 1000;
