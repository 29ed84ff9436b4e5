// Takes every example out of the public API's comments, type-checks it as a user's file, and runs it against the fake.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, mock, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { native, settled } from './support.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = path.join(root, 'js', 'src');
const folder = mkdtempSync(path.join(tmpdir(), 'peersync-examples-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Comments with the code they stand on: `{ name, comment, examples }`. */
function documented(file) {
  const text = readFileSync(path.join(source, file), 'utf8');
  return [...text.matchAll(/^( *)\/\*\*((?:(?!\*\/)[^])*)\*\/\n\1(.*)/gm)].map(([, , comment, code]) => ({
    name: `${file}: ${code.trim()}`,
    code: code.trim(),
    comment,
    examples: [...comment.matchAll(/```ts\n([^]*?)```/g)].map(([, block]) => block.replace(/^ *\* ?/gm, '')),
  }));
}

/** Compiles `files` as a user of the package would. */
function compile(files, options) {
  const config = path.join(folder, 'tsconfig.json');
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    lib: ['es2022', 'dom', 'esnext.disposable'],
    types: [],
    strict: true,
    rootDir: '/',
    paths: { peersync: [path.join(root, 'js', 'dist', 'index.d.ts')] },
    ...options,
  };
  writeFileSync(config, JSON.stringify({ compilerOptions, files }));
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    execFileSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    assert.fail(`${error.stdout}${error.stderr}`);
  }
}

const sources = ['client.ts', 'room.ts', 'text.ts', 'map.ts', 'list.ts', 'records.ts', 'presence.ts', 'errors.ts'];
const entries = sources.flatMap(documented);
const examples = entries.flatMap(({ name, examples }) => examples.map((code) => ({ name, code })));
const files = examples.map(({ code }, index) => {
  const file = path.join(folder, `example${index}.ts`);
  writeFileSync(file, `${code}\nexport {};\n`);
  return file;
});

test('every public class, function and method has exactly one example', () => {
  const callable = /^(export (abstract )?(class|function)|constructor|get |(async )?[a-z]\w*(<.*>)?\()/;
  const members = entries.filter(({ code, comment }) => callable.test(code) && !/@internal|The same as/.test(comment));
  const wrong = members.filter(({ examples }) => examples.length !== 1);
  assert.deepEqual(wrong.map(({ name }) => name), []);
  assert.ok(members.length >= 70, `found only ${members.length}`);
});

test('the types are what they should be, and the examples compile as written', () => {
  compile([fileURLToPath(new URL('./types.ts', import.meta.url))], { noEmit: true });
  compile(files, { outDir: folder, rootDir: folder });
});

for (const [index, { name }] of examples.entries()) {
  test(`the example runs: ${name}`, async () => {
    for (const method of ['log', 'table', 'warn']) mock.method(console, method, () => {});
    mock.method(console, 'assert', (condition) => assert.ok(condition, 'an assertion of the example'));
    native.auto = true;
    try {
      await import(pathToFileURL(path.join(folder, `example${index}.js`)).href);
      await settled();
    } finally {
      mock.restoreAll();
    }
  });
}
