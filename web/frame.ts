// What both pages do around what they are for: say which network this is, and what went wrong.
import type { NodeStatus } from '../schemas/types/rpc.ts';
import { element, notice } from './dom.ts';
import { call, Failure } from './rpc.ts';

/** Asks the node where it stands, and says so in the page's head. */
export async function readStatus(): Promise<NodeStatus> {
  const status = await call('node.status', {});
  const shown = document.querySelector('#network');
  if (shown !== null) {
    const behind = status.catchingUp ? ', catching up' : '';
    shown.textContent = `${status.chain} · block ${status.finalized.height}${behind}`;
  }
  return status;
}

/** The name that this browser was last used by. Private windows may refuse to remember: then it is asked again. */
export function rememberedAccount(chain: string): string {
  try {
    return localStorage.getItem(`weft account ${chain}`) ?? '';
  } catch {
    return '';
  }
}

export function rememberAccount(chain: string, account: string): void {
  try {
    localStorage.setItem(`weft account ${chain}`, account);
  } catch {}
}

export function problem(title: string, error: unknown): HTMLElement {
  const code = error instanceof Failure ? error.code : 'PAGE_FAILED';
  const text = error instanceof Error ? error.message : String(error);
  return notice('wrong', title, element('p', {}, text, ' ', element('code', {}, code)));
}
