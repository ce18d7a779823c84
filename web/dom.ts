// Documents made of elements and text, never of strings of markup: a name on the ledger can say anything and be nothing but text.

type Child = Node | string | undefined | false;
type Attributes = { readonly [name: string]: string | boolean | undefined };

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes,
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(attribute, '');
    else if (typeof value === 'string') made.setAttribute(attribute, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

/** Terms and what they are; those without a value are left out. */
export function facts(...pairs: readonly (readonly [string, Child])[]): HTMLElement {
  return element(
    'dl',
    {},
    ...pairs.flatMap(([term, value]) =>
      value === undefined || value === false ? [] : [element('dt', {}, term), element('dd', {}, value)],
    ),
  );
}

export function notice(kind: 'good' | 'wrong' | 'careful', title: string, ...more: Child[]): HTMLElement {
  return element(
    'div',
    { class: `notice ${kind}`, role: kind === 'wrong' ? 'alert' : 'status' },
    element('strong', {}, title),
    ...more,
  );
}

export function button(text: string, attributes: Attributes, onClick: () => void): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, text);
  made.addEventListener('click', onClick);
  return made;
}

/** Replaces what the page shows. `focus`: the reader is told that all is new. */
export function show(focus: boolean, ...children: Child[]): void {
  const main = document.querySelector('main');
  if (main === null) return;
  main.replaceChildren(...children.filter((child) => child !== undefined && child !== false));
  if (focus) main.focus({ preventScroll: true });
  if (focus) scrollTo({ top: 0 });
}

/** Steps of one act, of which one is under way. */
export class Steps {
  readonly list: HTMLOListElement;
  readonly #items: readonly HTMLLIElement[];

  constructor(...texts: string[]) {
    this.#items = texts.map((text) => element('li', {}, text));
    this.list = element('ol', { class: 'steps', 'aria-live': 'polite' }, ...this.#items);
  }

  /** Step `now` (from 0) is under way; all when it is past the last. */
  at(now: number): void {
    for (const [index, item] of this.#items.entries()) {
      item.dataset['state'] = index < now ? 'done' : index === now ? 'now' : 'later';
      if (index === now) item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
    }
  }
}

/** `in 12 minutes (14:05:09)`, or that it is over. */
export function until(ms: number, now: number): string {
  const seconds = Math.round((ms - now) / 1000);
  if (seconds <= 0) return `over since ${clock(ms)}`;
  const [count, unit] =
    seconds < 120
      ? [seconds, 'second']
      : seconds < 7200
        ? [Math.round(seconds / 60), 'minute']
        : [Math.round(seconds / 3600), 'hour'];
  return `in ${count} ${unit}${count === 1 ? '' : 's'} (${clock(ms)})`;
}

export function clock(ms: number): string {
  const time = new Date(ms);
  const day = time.toDateString() === new Date().toDateString() ? '' : `${time.toLocaleDateString()} `;
  return `${day}${time.toLocaleTimeString()}`;
}

export function duration(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}
