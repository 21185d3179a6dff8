/** Shown before the log-in to who holds a registered security key that did not verify them. */
export function userNotVerifiedBanner(): string {
  const lines = [
    'This security key must ask for its PIN or your fingerprint, and did not.',
    'Use a key made with: ssh-keygen -t ed25519-sk -O verify-required',
  ];
  return `${lines.join('\n')}\n`;
}
