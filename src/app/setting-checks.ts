import { z } from 'zod';

export function whole(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,12}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message);
}

export const onOff = z.enum(['on', 'off'], 'must be on or off').transform((value) => value === 'on');

/** In milliseconds then. */
export function seconds(min: number, max: number) {
  return whole(min, max).transform((value) => value * 1000);
}

export const KIB = 1024;
export const MIB = 1024 ** 2;

/** HOST:PORT, an IPv6 address in brackets. */
export function address(message: string) {
  return z.string().transform((text, context) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
    const port = Number(match?.[3]);
    if (match === null || port > 65535) {
      context.addIssue(message);
      return z.NEVER;
    }
    return { host: match[1] ?? match[2] ?? '', port };
  });
}
