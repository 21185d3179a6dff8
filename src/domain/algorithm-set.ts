/** What the SSH server offers its clients: only what is strong, or also what old but living clients need. */
export type AlgorithmSet = 'modern' | 'compatible';
