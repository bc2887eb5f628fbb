// One tab of the console page, in the words of its user.

export class Tab {
  constructor(page, errors) {
    this.page = page;
    this.errors = errors;
  }

  /** Errors on the console and refusals of the content security policy. */
  async complaints() {
    return [...this.errors, ...(await this.page.evaluate(() => window.violations))];
  }

  async signIn(uid) {
    await this.page.getByLabel('Sign in as').fill(uid);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.link('online');
  }

  /** Waits for the words of the link's state. */
  link(words) {
    return this.page.locator('#link', { hasText: words }).waitFor();
  }

  device() {
    return this.page.locator('#device').textContent();
  }

  /** Goes to a view where the screen shows one at a time. */
  async view(name) {
    const tab = this.page.locator(`nav.views button[data-view="${name}"]`);
    if (await tab.isVisible()) await tab.click();
  }

  async openChat(peer) {
    await this.view('chats');
    await this.page.getByLabel('Write to').fill(peer);
    await this.page.getByRole('button', { name: 'Open', exact: true }).click();
    await this.page.locator('#chat-title', { hasText: peer }).waitFor();
  }

  async say(text) {
    await this.page.locator('#text').fill(text);
    await this.page.locator('#text').press('Enter');
    await this.message(text).waitFor();
  }

  message(text) {
    return this.page.locator('#message-list .bubble', { hasText: text });
  }

  /** Waits until a message of one's own came so far. */
  tick(text, word) {
    return this.message(text).locator('.tick', { hasText: word }).waitFor();
  }

  texts() {
    return this.page.locator('#message-list .bubble-text').allTextContents();
  }

  async mode(name) {
    await this.view('phone');
    await this.page.getByRole('button', { name, exact: true }).click();
    await this.page.locator(`button[data-mode][aria-pressed="true"]`, { hasText: name }).waitFor();
  }

  note(text) {
    return this.page.locator('#notes .note', { hasText: text });
  }

  line(what, text) {
    return this.page.locator('#log .line', { hasText: what }).filter({ hasText: text });
  }

  /** Opens the timeline of a message and waits for a step with this text in it. */
  async explain(text, ...steps) {
    await this.message(text).click();
    await this.steps(...steps);
  }

  async steps(...steps) {
    for (const step of steps) await this.page.locator('#timeline .step', { hasText: step }).first().waitFor();
  }

  async closeTimeline() {
    await this.page.keyboard.press('Escape');
    await this.page.locator('#timeline').waitFor({ state: 'hidden' });
  }

  /** Everything axe finds; its rules include the best practices. */
  async axe() {
    const { violations } = await this.page.evaluate(() => window.axe.run());
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
  }

  /** Elements that reach beyond the sides of the screen, and a page that scrolls sideways. */
  sideways() {
    return this.page.evaluate(() => {
      const { clientWidth, scrollWidth } = document.documentElement;
      const found = scrollWidth > clientWidth ? [`page ${scrollWidth} > ${clientWidth}`] : [];
      for (const node of document.body.querySelectorAll('*')) {
        const style = getComputedStyle(node);
        const clips = ['auto', 'scroll'].includes(style.overflowX);
        if (clips && node.scrollWidth > node.clientWidth) {
          found.push(`${node.tagName}#${node.id} ${node.scrollWidth} > ${node.clientWidth}`);
        }
      }
      return found;
    });
  }

  /** Counts and states in the top bar that are cut, or that something else covers. */
  cut() {
    return this.page.evaluate(() => {
      const found = [];
      for (const node of document.querySelectorAll('.top .count, .top .pill')) {
        if (!node.checkVisibility()) continue;
        if (node.scrollHeight > node.clientHeight + 1 || node.scrollWidth > node.clientWidth + 1) found.push(`${node.id} is cut`);
        const { left, right, top, bottom } = node.getBoundingClientRect();
        for (const other of document.querySelectorAll('.who-text > *')) {
          const box = other.getBoundingClientRect();
          if (box.left < right && left < box.right && box.top < bottom && top < box.bottom) found.push(`${node.id} covers ${other.id}`);
        }
      }
      return found;
    });
  }
}
