/** Who is to blame, in the message of a fault. */
export const WHOSE = 'the platform';
