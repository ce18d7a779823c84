// Changes of a text that keep it close to what it was: a reproducible one for each seed, and never none.

/** xorshift32: the same numbers in every runtime. */
export function randomOf(seed: number): (below: number) => number {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

const digits = '0123456789';
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_ \n"{}[],:.\u2014\u0000';

/** `text` with one to three changes. `others`: texts of the same kind, from which parts are taken. */
export function mutate(text: string, seed: number, others: readonly string[] = [text]): string {
  const random = randomOf(seed);
  for (let tries = 0; ; tries += 1) {
    let changed = text;
    for (let n = random(3); n >= 0; n -= 1) changed = change(changed, random, others);
    if (changed !== text && !others.includes(changed)) return changed;
    if (tries > 100) return `${text}x`;
  }
}

function change(text: string, random: (below: number) => number, others: readonly string[]): string {
  const at = random(Math.max(1, text.length));
  const lines = text.split('\n');
  const line = random(lines.length);
  const other = others[random(others.length)] ?? text;
  const charAt = (): string => letters[random(letters.length)] ?? 'A';
  switch (random(14)) {
    case 0:
      return text.slice(0, at) + charAt() + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + charAt() + text.slice(at);
    case 3:
      return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << random(7))) + text.slice(at + 1);
    case 4:
      return lines.toSpliced(line, 1).join('\n');
    case 5:
      return lines.toSpliced(line, 0, lines[random(lines.length)] ?? '').join('\n');
    case 6: {
      const from = other.split('\n');
      return lines.with(line, from[random(from.length)] ?? '').join('\n');
    }
    case 7: {
      const length = random(400);
      return text.slice(0, at) + other.slice(at, at + length) + text.slice(at + random(400));
    }
    case 8:
      return text.replace(/[0-9]/g, (digit) => (random(40) === 0 ? (digits[random(10)] ?? digit) : digit));
    default: {
      // Letters for letters: what is changed stays well-formed base64, hex or words, most of the time.
      const found = /[A-Za-z0-9]/.exec(text.slice(at));
      const where = at + (found?.index ?? 0);
      const range = /[0-9]/.test(text[where] ?? '')
        ? digits
        : /[a-f]/.test(text[where] ?? '')
          ? 'abcdef'
          : letters.slice(0, 52);
      return text.slice(0, where) + (range[random(range.length)] ?? 'A') + text.slice(where + 1);
    }
  }
}
