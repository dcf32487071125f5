import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listImages } from '#captions/formats';
import { captionImageFiles, loadJointModel } from '#fusion';
import { Decoding, generateText, loadLanguageModel } from '#language';
import { selectEngine } from '#src/engine';
import { createRandom } from '#src/random';
import { decodeImage } from '#vision';
import { exportSite } from '#web';
import { writeAligned } from '../support/alignedModel.js';
import { CHROMIUM } from '../support/chromium.js';
import { type StaticServer, serveFolder } from '../support/staticServer.js';

const decoding = Decoding.parse({ method: 'greedy', maxTokens: 8 });
const options = { version: '1.2.3', decoding, weights: 'float32' } as const;
const PICTURES = 20;
const FAKE_CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
const IMAGE_SIZE = 16;

if (CHROMIUM === undefined) console.warn('test/web/page.test.ts is skipped: no Chromium; TOKENFUSE_CHROMIUM names one');

describe.skipIf(CHROMIUM === undefined)('in Chromium', () => {
  let folder = '';
  let server: StaticServer;
  let browser: Browser;
  let joint: Page;
  let text: Page;
  const complaints: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tokenfuse-'));
    await selectEngine('wasm');
    const aligned = await writeAligned(folder);
    mkdirSync(join(folder, 'pictures'));
    for (let i = 0; i < PICTURES; i++) writeFileSync(picturePath(i), await picture(i));
    const examples = { argument: join(folder, 'pictures') };
    await exportSite(aligned, join(folder, 'sites/joint'), { ...options, examples });
    await exportSite(aligned, join(folder, 'sites/single'), { ...options, examples, singleFile: true });
    await exportSite(join(folder, 'language'), join(folder, 'sites/text'), { ...options, prompts: ['a red'] });
    server = await serveFolder(join(folder, 'sites'));
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', ...FAKE_CAMERA] });
    [joint, text] = [
      await openPage(`${server.url}joint/?engine=wasm`),
      await openPage(`${server.url}text/?engine=wasm`),
    ];
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const picturePath = (i: number): string => join(folder, 'pictures', `${String(i).padStart(2, '0')}.png`);

  /** Blocks of colour, at the model's size. */
  async function picture(i: number): Promise<Buffer> {
    const random = createRandom(1, 'picture', i);
    const colours = Array.from({ length: 16 * 3 }, () => random.integer(256));
    const data = Uint8Array.from({ length: IMAGE_SIZE ** 2 * 3 }, (_, at) => {
      const [x, y, channel] = [Math.floor(at / 3) % IMAGE_SIZE, Math.floor(at / 3 / IMAGE_SIZE), at % 3];
      return colours[(Math.floor(y / 4) * 4 + Math.floor(x / 4)) * 3 + channel];
    });
    return await sharp(data, { raw: { width: IMAGE_SIZE, height: IMAGE_SIZE, channels: 3 } })
      .png()
      .toBuffer();
  }

  async function openPage(url: string): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(url);
    return page;
  }

  const traced = async (page: Page): Promise<string> => {
    await page.waitForSelector('#caption[data-state=traced]');
    return (await page.textContent('#caption')) ?? '';
  };

  async function captionsInNode(bridge: boolean): Promise<string[]> {
    await selectEngine('wasm');
    const model = loadJointModel(join(folder, 'aligned'));
    const captions: string[] = [];
    const images = listImages(join(folder, 'pictures'));
    for await (const batch of captionImageFiles(model, images, { decoding, batchSize: 1, bridge })) {
      captions.push(...batch.map(({ candidates }) => candidates[0].caption || '(nothing)'));
    }
    model.dispose();
    return captions;
  }

  it('has the captions of Node for 20 pictures, with the bridge and without', async () => {
    await traced(joint);
    expect(await joint.textContent('#engine')).toContain('wasm on CPU, 1 thread, SIMD, fused kernels');
    for (const [bridge, count] of [
      [true, PICTURES],
      [false, 4],
    ] as const) {
      await joint.setChecked('#bridge', bridge);
      const found: string[] = [];
      for (let i = 0; i < count; i++) {
        await joint.setInputFiles('#file', picturePath(i));
        await joint.locator('#status', { hasText: `${String(i).padStart(2, '0')}.png` }).waitFor();
        found.push(await traced(joint));
      }
      const expected = (await captionsInNode(bridge)).slice(0, count);
      expect(new Set(expected).size).toBeGreaterThan(1);
      expect(found).toEqual(expected);
    }
  });

  it('streams the caption, and shows by keyboard what a word looked at and what it drew on', async () => {
    await traced(joint);
    expect(await joint.locator('#cells i').count()).toBe(4);
    await joint.evaluate(`globalThis.seen = [];
      new MutationObserver(() => seen.push(document.getElementById('caption').textContent))
        .observe(document.getElementById('caption'), { childList: true })`);
    await joint.focus('#examples button:nth-child(3)');
    await joint.keyboard.press('Enter');
    // Until then the caption is that of the picture before.
    await expect.poll(() => joint.evaluate('seen.length')).toBeGreaterThan(0);
    const caption = await traced(joint);
    const seen = (await joint.evaluate('seen')) as string[];
    // It came token by token.
    expect(seen.filter((text) => text !== '' && text !== caption && caption.startsWith(text)).length).toBeGreaterThan(
      1,
    );
    await joint.focus('#words button');
    expect(await joint.textContent('#note')).toMatch(/of its attention is on the picture; it drew on vision \d+/);
    const styles = await joint.locator('#cells i').all();
    const shown = await Promise.all(
      styles.map(async (cell) => Number((await cell.getAttribute('style'))?.match(/[\d.]+/)?.[0])),
    );
    expect(Math.min(...shown)).toBeLessThan(0.2);
    expect(await joint.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await joint.focus('#bridge');
    await joint.keyboard.press('Space');
    await joint.waitForSelector('#both dd');
    expect(await joint.locator('#both dd').count()).toBe(2);
  });

  it.each(['light', 'dark'] as const)('has no fault that axe knows of in %s colours', async (colorScheme) => {
    await traced(joint);
    for (const page of [joint, text]) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
    }
  });

  it('prepares other pictures as Node does, but for some levels of 255', async () => {
    await traced(joint);
    const blocks = await picture(3);
    const files = {
      'turned.jpg': await sharp(blocks)
        .resize(400, 304, { kernel: 'cubic' })
        .withMetadata({ orientation: 6 })
        .jpeg()
        .toBuffer(),
      'clear.png': await sharp(blocks).resize(90, 120).ensureAlpha(0.4).png().toBuffer(),
      'grey.webp': await sharp(blocks).resize(64, 64).greyscale().webp({ lossless: true }).toBuffer(),
    };
    for (const [name, buffer] of Object.entries(files)) {
      await joint.setInputFiles('#file', { name, mimeType: 'image/png', buffer });
      await joint.locator('#status', { hasText: name }).waitFor();
      const found = (await joint.evaluate(`(() => {
        const context = new OffscreenCanvas(${IMAGE_SIZE}, ${IMAGE_SIZE}).getContext('2d', { willReadFrequently: true });
        context.drawImage(document.getElementById('pixels'), 0, 0);
        return [...context.getImageData(0, 0, ${IMAGE_SIZE}, ${IMAGE_SIZE}).data].filter((_, i) => i % 4 < 3);
      })()`)) as number[];
      const settings = { imageSize: IMAGE_SIZE, resize: 'stretch', background: [255, 255, 255] } as const;
      const expected = await decodeImage(buffer, settings);
      const differences = found.map((level, i) => Math.abs(level - expected[i]));
      expect(Math.max(...differences), name).toBeLessThanOrEqual(8);
    }
  });

  it('takes a picture with the camera', async () => {
    await traced(joint);
    await joint.click('#camera');
    await joint.click('#take');
    await joint.locator('#status', { hasText: 'Camera' }).waitFor();
    expect(await traced(joint)).not.toBe('');
    expect(await joint.isVisible('#camera-panel')).toBe(false);
  });

  it('says that a file is no picture', async () => {
    await traced(joint);
    await joint.setInputFiles('#file', { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
    await joint.waitForSelector('#status.problem');
    expect(await joint.textContent('#status')).toContain('cannot read that file as a picture');
  });

  it('opens as a single file, without a server', async () => {
    const page = await openPage(`file://${join(folder, 'sites/single/index.html')}`);
    const [first] = await captionsInNode(true);
    expect(await traced(page)).toBe(first);
    await page.close();
  });

  it('continues a text as Node does', async () => {
    const model = loadLanguageModel(join(folder, 'language'));
    for (const prompt of ['a red', 'Ünï ½ 漢字 🙂  tab\t']) {
      await text.fill('#prompt', prompt);
      await text.click('#continue');
      await text.waitForSelector('#continuation[data-state=done]');
      const [expected] = await generateText(model, prompt, decoding);
      expect(await text.textContent('#continuation')).toBe(`${prompt}${expected.text}`);
    }
    model.dispose();
  });

  it('has asked for nothing but its own files, and nothing has been complained of', () => {
    const foreign = requests.filter((url) => !url.startsWith(server.url) && !/^(file|blob|data):/.test(url));
    expect(requests.length).toBeGreaterThan(10);
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
