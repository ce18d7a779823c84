// A real browser for tests: Chromium over its DevTools protocol, with security keys in software. As little as tests need.
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { WebSocket } from 'ws';

const startMs = 60_000;
const waitMs = 30_000;
const pollMs = 50;

type Answer = { readonly [name: string]: unknown };
type Message = {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Answer;
  readonly result?: Answer;
  readonly error?: { readonly message: string };
};

/** Of a test: `{ skip: noChromium }`. */
export const noChromium: string | false =
  findChromium() === undefined && 'no chromium on this machine (scripts/system-packages.txt names the package)';

function findChromium(): string | undefined {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter).concat('/usr/bin')) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {}
    }
  }
  return undefined;
}

/** Starts a browser of its own, without window; undefined, after a line `skipped: …`, where there is none. */
export async function launchChromium(): Promise<Browser | undefined> {
  const program = findChromium();
  if (program === undefined) {
    process.stdout.write(`# skipped: ${noChromium}\n`);
    return undefined;
  }
  const profile = mkdtempSync(join(tmpdir(), 'weft-chromium-'));
  const child = spawn(
    program,
    [
      '--headless=new',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      // Tests run as root in containers; the pages are our own.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--disable-extensions',
      '--disable-background-networking',
      '--disable-component-update',
      '--hide-scrollbars',
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  try {
    const socket = new WebSocket(await devToolsUrl(child), { perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new Browser(child, profile, new DevTools(socket));
  } catch (error) {
    child.kill('SIGKILL');
    rmSync(profile, { recursive: true, force: true });
    throw error;
  }
}

function devToolsUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`chromium did not start in ${startMs} ms: ${said}`)), startMs);
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-8192);
      const [, url] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`chromium ended with ${code}: ${said}`)));
  });
}

/** Commands and events over one socket; each page is a session of it. */
class DevTools {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve(result: Answer): void; reject(error: Error): void }>();
  readonly #listeners = new Map<string, (method: string, params: Answer) => void>();
  #last = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#receive(JSON.parse(String(data)) as Message));
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('chromium closed the connection'));
      this.#waiting.clear();
    });
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<Answer> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject: (error) => reject(new Error(`${method}: ${error.message}`)) });
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    });
  }

  listen(sessionId: string, listener: (method: string, params: Answer) => void): void {
    this.#listeners.set(sessionId, listener);
  }

  close(): void {
    this.#socket.close();
  }

  #receive({ id, sessionId, method, params, result, error }: Message): void {
    if (id === undefined) {
      if (method !== undefined) this.#listeners.get(sessionId ?? '')?.(method, params ?? {});
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result ?? {});
    else waiting?.reject(new Error(error.message));
  }
}

class Browser {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #tools: DevTools;

  constructor(child: ChildProcess, profile: string, tools: DevTools) {
    this.#child = child;
    this.#profile = profile;
    this.#tools = tools;
  }

  async version(): Promise<string> {
    return String((await this.#tools.send('Browser.getVersion'))['product']);
  }

  /** A new page at `url`, loaded. */
  async open(url = 'about:blank'): Promise<Page> {
    const { targetId } = await this.#tools.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.#tools.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this.#tools, String(sessionId));
    await page.begin();
    if (url !== 'about:blank') await page.goto(url);
    return page;
  }

  /** Ends the browser and removes its profile. */
  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#tools.send('Browser.close').catch(() => undefined);
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
    clearTimeout(kill);
    this.#tools.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class Page {
  readonly #tools: DevTools;
  readonly #session: string;
  /** What the page complained about: exceptions, console errors, violations of its policy, refused loads. */
  readonly problems: string[] = [];
  /** URLs that were asked for. */
  readonly requests: string[] = [];

  constructor(tools: DevTools, session: string) {
    this.#tools = tools;
    this.#session = session;
    tools.listen(session, (method, params) => this.#heard(method, params));
  }

  async begin(): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.send(`${domain}.enable`);
  }

  /** Any command of the DevTools protocol. */
  send(method: string, params: object = {}): Promise<Answer> {
    return this.#tools.send(method, params, this.#session);
  }

  /** Goes there and waits until the document has loaded. */
  async goto(url: string): Promise<void> {
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`);
    await this.waitFor(`document.readyState === 'complete'`);
  }

  /** The value of an expression in the page (JSON; a promise is awaited); what it throws is thrown here. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
      // As a person's gesture: browsers ask for one before they wake a security key.
      userGesture: true,
    })) as {
      result: { value: T };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    };
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until the expression is truthy, and answers it. */
  async waitFor<T>(expression: string, limitMs = waitMs): Promise<T> {
    const end = performance.now() + limitMs;
    for (;;) {
      const value = await this.evaluate<T>(expression).catch((error: unknown) => {
        // Between two documents there is no context to ask.
        if (!/context|navigat/i.test(String(error))) throw error;
        return undefined;
      });
      if (value) return value;
      if (performance.now() > end) {
        const text = await this.evaluate<string>('document.body?.innerText ?? ""').catch(() => '');
        throw new Error(
          `waited ${limitMs} ms for ${expression}\nproblems: ${this.problems.join('; ')}\nthe page says:\n${text.slice(0, 2000)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  /** Waits for what the CSS selector names, scrolls to it and clicks it as a mouse does. */
  async click(selector: string): Promise<void> {
    const { x, y } = await this.waitFor<{ x: number; y: number }>(`(() => {
      const found = document.querySelector(${JSON.stringify(selector)});
      if (found === null || found.disabled) return undefined;
      found.scrollIntoView({ block: 'center', behavior: 'instant' });
      const { x, y, width, height } = found.getBoundingClientRect();
      return width > 0 && height > 0 ? { x: x + width / 2, y: y + height / 2 } : undefined;
    })()`);
    for (const type of ['mousePressed', 'mouseReleased'])
      await this.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
  }

  /** Puts a text into a field, as typing does. */
  async fill(selector: string, text: string): Promise<void> {
    await this.waitFor(`document.querySelector(${JSON.stringify(selector)})?.getBoundingClientRect().width > 0`);
    await this.evaluate(
      `(() => { const field = document.querySelector(${JSON.stringify(selector)}); field.focus(); field.select?.(); })()`,
    );
    await this.send('Input.insertText', { text });
  }

  /** The text that a person sees, of the page or of what the selector names. */
  text(selector = 'body'): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`);
  }

  async size(width: number, height: number, scale = 1): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile: false });
  }

  async colours(scheme: 'light' | 'dark'): Promise<void> {
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  }

  /** A PNG file of the whole document. */
  async screenshot(path: string): Promise<void> {
    const { cssContentSize } = (await this.send('Page.getLayoutMetrics')) as {
      cssContentSize: { width: number; height: number };
    };
    const { width, height } = cssContentSize;
    const { data } = await this.send('Page.captureScreenshot', {
      format: 'png',
      captureBeyondViewport: true,
      clip: { x: 0, y: 0, width, height, scale: 1 },
    });
    writeFileSync(path, Buffer.from(String(data), 'base64'));
  }

  /** A security key plugged into this page's computer: it is touched at once, and knows who touches it unless told otherwise. */
  async addAuthenticator(options: { readonly userVerified?: boolean } = {}): Promise<VirtualAuthenticator> {
    await this.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await this.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'usb',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: options.userVerified ?? true,
        automaticPresenceSimulation: true,
      },
    });
    return new VirtualAuthenticator(this, String(authenticatorId));
  }

  #heard(method: string, params: Answer): void {
    if (method === 'Runtime.exceptionThrown') {
      const { exceptionDetails } = params as {
        exceptionDetails: { text: string; exception?: { description?: string } };
      };
      this.problems.push(exceptionDetails.exception?.description ?? exceptionDetails.text);
    } else if (method === 'Runtime.consoleAPICalled' && params['type'] === 'error') {
      const { args } = params as { args: { value?: unknown; description?: string }[] };
      this.problems.push(args.map(({ value, description }) => String(value ?? description)).join(' '));
    } else if (method === 'Log.entryAdded') {
      const { entry } = params as { entry: { level: string; text: string; url?: string } };
      if (entry.level === 'error') this.problems.push(`${entry.text} ${entry.url ?? ''}`.trim());
    } else if (method === 'Network.requestWillBeSent') {
      this.requests.push((params as { request: { url: string } }).request.url);
    }
  }
}

export type VirtualCredential = {
  readonly credentialId: string;
  readonly rpId: string;
  readonly userHandle?: string;
  /** PKCS #8, base64. */
  readonly privateKey: string;
  readonly signCount: number;
};

class VirtualAuthenticator {
  readonly #page: Page;
  readonly #id: string;

  constructor(page: Page, id: string) {
    this.#page = page;
    this.#id = id;
  }

  /** Whether the next touches come with the right PIN. */
  async setUserVerified(isUserVerified: boolean): Promise<void> {
    await this.#page.send('WebAuthn.setUserVerified', { authenticatorId: this.#id, isUserVerified });
  }

  /** Whether anybody touches it: with several plugged in, the one that is touched answers. */
  async setTouched(enabled: boolean): Promise<void> {
    await this.#page.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: this.#id, enabled });
  }

  async credentials(): Promise<VirtualCredential[]> {
    const { credentials } = await this.#page.send('WebAuthn.getCredentials', { authenticatorId: this.#id });
    return credentials as VirtualCredential[];
  }

  /** Unplugs it. */
  async remove(): Promise<void> {
    await this.#page.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: this.#id });
  }
}
