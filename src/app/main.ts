#!/usr/bin/env node
import { Hangups } from './cli/hangups.js';

// A server hears SIGHUP from here on, while everything else is still being loaded.
const hangups = process.argv[2] === 'serve' ? new Hangups() : undefined;
const { run } = await import('./cli/program.js');
process.exitCode = await run(process.argv, hangups);
