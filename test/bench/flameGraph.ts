import { escaped, fixed, page } from '../svg.ts';
import { type ComponentKey, componentKeys, componentOf, components, isOurs, ownerOf } from './components.ts';
import type { Frame, Profile, Stack } from './profile.ts';

/** Stacks merged from the root, as one SVG. */

type Box = {
  readonly label: string;
  readonly where: string;
  readonly component: ComponentKey;
  micros: number;
  selfMicros: number;
  readonly children: Map<string, Box>;
};

type Drawn = { readonly box: Box; readonly x: number; readonly width: number; readonly depth: number };

const width = 1200;
const margin = 12;
const rowHeight = 17;
const letterWidth = 6.05;
const anonymous = '(anonymous)';
/** A page that shows the picture loads all of it. */
const bytesMax = 240_000;

export function flameGraph(title: string, { stacks, busyMicros, micros }: Profile): string {
  const root = merge(stacks);
  const headline = `main thread busy ${(100 * (busyMicros / Math.max(1, micros))).toFixed(0)} % of ${(micros / 1e6).toFixed(1)} s; widths are shares of the busy time`;
  for (let narrowest = 0.7; ; narrowest *= 1.3) {
    const svg = draw(title, headline, root, busyMicros, narrowest);
    if (svg.length <= bytesMax || narrowest > width) return svg;
  }
}

function merge(stacks: readonly Stack[]): Box {
  const root: Box = emptyBox('', '', 'other');
  for (const { frames, micros } of stacks) {
    let box = root;
    box.micros += micros;
    for (const { label, where, component } of shown(frames)) {
      // A function that calls itself is one box, however deep it went.
      if (box.label === label && box.where === where) continue;
      const key = `${label} ${where}`;
      const child = box.children.get(key) ?? emptyBox(label, where, component);
      box.children.set(key, child);
      child.micros += micros;
      box = child;
    }
    box.selfMicros += micros;
  }
  return root;
}

function emptyBox(label: string, where: string, component: ComponentKey): Box {
  return { label, where, component, micros: 0, selfMicros: 0, children: new Map() };
}

/**
 * What is shown of a stack: frames of this repository, where a package is entered, what belongs to a component, and what is at the
 * tip. Node's own frames, a package's calls to itself and helpers between them only make the picture higher. Of a stack that has
 * nothing else, its component in one box.
 */
function shown(frames: readonly Frame[]): { label: string; where: string; component: ComponentKey }[] {
  const boxes: { label: string; where: string; component: ComponentKey }[] = [];
  let component: ComponentKey | undefined;
  for (const [i, frame] of frames.entries()) {
    const owner = ownerOf(frame);
    component = owner ?? component;
    const tip = i === frames.length - 1 && !frame.url.startsWith('node:') && (boxes.length > 0 || isOurs(frame.url));
    const inPackage = frame.url.includes('/node_modules/');
    if (!tip && owner === undefined && (inPackage || !isOurs(frame.url))) continue;
    const where = whereOf(frame.url);
    if (inPackage && boxes.at(-1)?.where === where) continue;
    boxes.push({ label: nameOf(frame), where, component: component ?? 'other' });
  }
  if (boxes.length > 0) return boxes;
  const whose = componentOf(frames);
  const alone = { network: "Node's sockets", verify: "Node's messages between threads" } as const;
  const label =
    whose === 'network' || whose === 'verify'
      ? alone[whose]
      : frames[0]?.name === '(program)'
        ? 'native, outside JavaScript'
        : "Node's event loop";
  return [{ label, where: '', component: whose }];
}

function nameOf({ name }: Frame): string {
  if (name === '(garbage collector)') return 'garbage collection';
  return name === '' ? anonymous : name;
}

/** `src/net/host.ts`, `@libp2p/tcp`: a path in the repository, or the package. */
function whereOf(url: string): string {
  const inPackage = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (inPackage !== undefined) return inPackage;
  return /\/((?:src|consensus|contracts|schemas|test|bpf)\/.*)$/.exec(url)?.[1] ?? url.replace(/^file:\/\//, '');
}

function draw(title: string, headline: string, root: Box, busyMicros: number, narrowest: number): string {
  const drawn = place(root, narrowest);
  const used = new Map<ComponentKey, number>();
  for (const box of walk(root)) used.set(box.component, (used.get(box.component) ?? 0) + box.selfMicros);
  const legend = drawLegend(used, busyMicros, 64);
  const rows = 1 + drawn.reduce((deepest, { depth }) => Math.max(deepest, depth), 0);
  const height = legend.bottom + 10 + rows * rowHeight + margin;
  const boxes = componentKeys.flatMap((key) => {
    const own = drawn.filter(({ box }) => box.component === key);
    if (own.length === 0) return [];
    return [
      `<g fill="${components[key].colour}">`,
      ...own.map((each) => drawBox(each, height - margin - (each.depth + 1) * rowHeight, busyMicros)),
      '</g>',
    ];
  });
  return page({ title, width, height, fontSize: 12 }, [
    '<style>rect{shape-rendering:crispEdges}text{fill:#222}.b text{font:10px ui-monospace,Menlo,Consolas,monospace;pointer-events:none}.b rect{stroke:#fff;stroke-width:.5}.b g g:hover rect{stroke:#000;stroke-width:1}</style>',
    `<text x="${margin}" y="24" font-size="16" font-weight="bold">${escaped(title)}</text>`,
    `<text x="${margin}" y="43" style="fill:#555">${escaped(headline)}</text>`,
    ...legend.parts,
    '<g class="b">',
    ...boxes,
    '</g>',
  ]);
}

function place(root: Box, narrowest: number): Drawn[] {
  const scale = (width - 2 * margin) / Math.max(1, root.micros);
  const drawn: Drawn[] = [];
  const visit = (parent: Box, from: number, depth: number): void => {
    let x = from;
    for (const box of ordered(parent, depth)) {
      const boxWidth = box.micros * scale;
      if (boxWidth < narrowest) continue;
      drawn.push({ box, x, width: boxWidth, depth });
      visit(box, x, depth + 1);
      x += boxWidth;
    }
  };
  visit(root, margin, 0);
  return drawn;
}

/** At the bottom by component, so that what belongs together stands together; above by time. */
function ordered({ children }: Box, depth: number): Box[] {
  const rank = ({ component }: Box): number => (depth === 0 ? componentKeys.indexOf(component) : 0);
  return [...children.values()].sort((a, b) => rank(a) - rank(b) || b.micros - a.micros);
}

function* walk(box: Box): Generator<Box> {
  yield box;
  for (const child of box.children.values()) yield* walk(child);
}

function drawBox({ box, x, width: boxWidth }: Drawn, y: number, busyMicros: number): string {
  const share = `${((100 * box.micros) / busyMicros).toFixed(1)} %`;
  const self = box.selfMicros > 0 && box.children.size > 0 ? `, ${ms(box.selfMicros)} itself` : '';
  const about = `${box.label} ${box.where}\n${share}, ${ms(box.micros)}${self}, ${components[box.component].name}`;
  const file = box.where.slice(box.where.startsWith('@') ? 0 : box.where.lastIndexOf('/') + 1);
  const room = Math.floor((boxWidth - 6) / letterWidth);
  const whole = [box.label, file].filter((part) => part !== '').join(' · ');
  // A file says more than '(anonymous)' does.
  const short = box.label === anonymous && file !== '' ? file : box.label;
  const label = [whole, short].find((each) => each.length <= room) ?? `${short.slice(0, room - 1)}…`;
  const text = room < 3 ? '' : `<text x="${fixed(x + 3)}" y="${y + 12}">${escaped(label)}</text>`;
  return `<g><title>${escaped(about)}</title><rect x="${fixed(x)}" y="${y}" width="${fixed(boxWidth)}" height="${rowHeight}"/>${text}</g>`;
}

function drawLegend(
  used: ReadonlyMap<ComponentKey, number>,
  busyMicros: number,
  top: number,
): { parts: string[]; bottom: number } {
  const parts: string[] = [];
  let x = margin;
  let y = top;
  for (const key of componentKeys) {
    const { name, what, colour } = components[key];
    const said = `${name} ${((100 * (used.get(key) ?? 0)) / Math.max(1, busyMicros)).toFixed(1)} %`;
    const wide = 30 + 6.6 * said.length;
    if (x + wide > width - margin) {
      x = margin;
      y += 20;
    }
    parts.push(
      `<g><title>${escaped(what)}</title><rect x="${fixed(x)}" y="${y - 10}" width="13" height="13" rx="2" fill="${colour}"/><text x="${fixed(x + 18)}" y="${y + 1}">${escaped(said)}</text></g>`,
    );
    x += wide;
  }
  return { parts, bottom: y + 6 };
}

function ms(micros: number): string {
  return `${(micros / 1000).toFixed(micros < 10_000 ? 1 : 0)} ms`;
}
