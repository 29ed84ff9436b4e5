// Links in the documents that name a file of this repository which does not exist.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The targets of relative links in a Markdown text, without fragments. Code blocks are not looked at. */
export function relativeLinks(markdown) {
  const prose = markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target.split('#')[0])
    .filter((target) => target && !/^[a-z][a-z+.-]*:/i.test(target));
}

export function deadLinks(files) {
  return files.flatMap((file) =>
    relativeLinks(readFileSync(file, 'utf8'))
      .filter((target) => !existsSync(path.resolve(path.dirname(file), decodeURI(target))))
      .map((target) => `${path.basename(file)} links to ${target}, which does not exist`));
}
