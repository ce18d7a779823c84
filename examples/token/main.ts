// `npm run demo:token`: the story, for a person who watches.
import { styleText } from 'node:util';
import { launchChromium } from '../../test/browser/chromium.ts';
import { type Teller, tell } from './story.ts';

const out = (text = ''): void => {
  process.stdout.write(`${text}\n`);
};
const dim = (text: string): string => styleText('dim', text);

let chapter = 0;
const started = performance.now();
const teller: Teller = {
  chapter(title) {
    chapter += 1;
    const at = `${((performance.now() - started) / 1000).toFixed(1)} s`;
    out(`\n${styleText(['bold', 'cyan'], `${chapter}  ${title}`)}  ${dim(at)}`);
  },
  say: (text) => out(`   ${text}`),
  facts(rows) {
    const width = Math.max(...rows.map(([name]) => name.length));
    for (const [name, value] of rows) out(`   ${dim(name.padEnd(width))}  ${value}`);
  },
  table(rows) {
    const width = Math.max(...rows.map(({ what }) => what.length));
    const by = Math.max(...rows.map((each) => each.by.length));
    for (const each of rows) {
      out(
        `   ${each.what.padEnd(width)}  ${styleText('red', 'refused')} ${dim(`by ${each.by.padEnd(by)}`)}  ${each.code}`,
      );
    }
  },
};

const browser = await launchChromium();
if (browser === undefined) {
  out(styleText('yellow', 'Without Chromium the approval below is signed with a plain key, not with a security key.'));
}
try {
  const page = await browser?.open();
  await page?.addAuthenticator();
  const { refused } = await tell(teller, page);
  const through = refused.filter(({ code }) => code === 'NOT REFUSED');
  if (through.length > 0) throw new Error(`not refused: ${through.map(({ what }) => what).join(', ')}`);
  const one = styleText('bold', 'One act, by one executor, with one outcome on the ledger.');
  out(`\n${one} ${refused.length} other ways: all refused.`);
} finally {
  await browser?.close();
}
