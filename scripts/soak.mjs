/**
 * The long versions of the tests that have one (they ask for GITMOUTH_SOAK), one file after the other, and a report of
 * the machine and the results.
 *
 *     npm run soak [-- REPORT [PART…]]    REPORT: docs/soak/issue-6.md; PART: only files whose path holds one of these
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem, type } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { format } from 'prettier';

const ROOT = join(import.meta.dirname, '..');
const [REPORT = 'docs/soak/issue-6.md', ...PARTS] = process.argv.slice(2);

/** What asks for it by itself, or passes the long stream that does. */
const LONG = /GITMOUTH_SOAK|\/long-stream\.js'/;

const scratch = mkdtempSync(join(tmpdir(), 'gitmouth-soak-'));
const [resultsFile, figuresFile] = [join(scratch, 'results.json'), join(scratch, 'figures')];
try {
  const files = longTests();
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
  const status = await run(files);
  const report = await format(reportOf(JSON.parse(readFileSync(resultsFile, 'utf8')), figures()), {
    parser: 'markdown',
  });
  mkdirSync(dirname(join(ROOT, REPORT)), { recursive: true });
  writeFileSync(join(ROOT, REPORT), report);
  process.exitCode = status;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function longTests() {
  return readdirSync(join(ROOT, 'test'), { recursive: true })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join('test', file))
    .filter((file) => LONG.test(readFileSync(join(ROOT, file), 'utf8')))
    .filter((file) => PARTS.length === 0 || PARTS.some((part) => file.includes(part)))
    .sort();
}

/** One at a time: memory is measured, and a neighbour's load would be in it. */
async function run(files) {
  const jest = spawn(
    process.execPath,
    [
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
      ...['--maxWorkers=1', '--json', '--outputFile', resultsFile, '--runTestsByPath', ...files],
    ],
    {
      cwd: ROOT,
      env: { ...process.env, GITMOUTH_SOAK: '1', GITMOUTH_REQUIRE_ALL: '1', SOAK_FIGURES: figuresFile },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const [status] = await once(jest, 'close');
  return status ?? 1;
}

function figures() {
  if (!existsSync(figuresFile)) return [];
  return readFileSync(figuresFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

function reportOf(results, measured) {
  const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = results;
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  return [
    '# The long tests',
    '',
    `Run by \`npm run soak\` on ${new Date().toISOString().slice(0, 10)}, of commit ${commit()}: ` +
      `${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped.`,
    '',
    '## The machine',
    '',
    ...table(['what', 'which'], machine()),
    '',
    '## Figures',
    '',
    ...table(
      ['what', 'measured'],
      measured.map(({ what, value }) => [what, value]),
    ),
    '',
    '## Tests',
    '',
    ...table(['file', 'test', 'result', 'seconds'], results.testResults.flatMap(testRows)),
    '',
  ].join('\n');
}

function testRows({ name, message, assertionResults }) {
  const file = relative(join(ROOT, 'test'), name);
  const rows = assertionResults.map(({ fullName, status, duration }) => [
    file,
    fullName,
    status,
    ((duration ?? 0) / 1000).toFixed(1),
  ]);
  const isClean = rows.length > 0 && (message === '' || rows.some(([, , status]) => status === 'failed'));
  return isClean ? rows : [...rows, [file, `the file itself: ${message.split('\n')[0]}`, 'failed', '']];
}

function table(headings, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)];
}

function machine() {
  return [
    ['processors', `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`],
    ['memory', `${(totalmem() / 1024 ** 3).toFixed(1)} GiB`],
    ['kernel', `${type()} ${release()}`],
    ['node', process.version],
    ['git', said('git', '--version')],
    ['ssh', said('ssh', '-V')],
    ['bubblewrap', said('bwrap', '--version')],
    [
      'server and tests run as',
      process.getuid() === 0 ? 'root, dynos as users without rights' : 'a user without rights',
    ],
  ];
}

function commit() {
  const hash = said('git', 'rev-parse', '--short', 'HEAD');
  const changes = said('git', 'status', '--porcelain', '--untracked-files=no');
  return changes === '' ? hash : `${hash} with changes`;
}

/** Some tell their version on standard error. */
function said(command, ...args) {
  try {
    return execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', command, ...args], { cwd: ROOT, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
