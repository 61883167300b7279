// What is looked at in a page, by a browser. Each function gives a list of faults, as text.
({
  // Text against what is behind it, by WCAG 2.2, 1.4.3.
  contrast() {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const known = new Map();
    const rgba = colour => {
      if (!known.has(colour)) {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        known.set(colour, [...canvas.getImageData(0, 0, 1, 1).data]);
      }
      return known.get(colour);
    };
    const light = ([r, g, b]) => {
      const part = v => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const faults = new Set();
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; (node = walk.nextNode());) {
      const element = node.parentElement;
      if (!node.data.trim() || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      if (['SCRIPT', 'STYLE', 'TEMPLATE'].includes(element.tagName)) continue;
      const style = getComputedStyle(element);
      let ground = [255, 255, 255];
      for (let at = element; at; at = at.parentElement) {
        const colour = rgba(getComputedStyle(at).backgroundColor);
        if (colour[3] === 255) { ground = colour; break; }
      }
      const [a, b] = [light(rgba(style.color)), light(ground)];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const size = parseFloat(style.fontSize);
      const needed = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
      if (ratio < needed) faults.add(`${element.tagName}.${element.className}: ${ratio.toFixed(2)} of "${node.data.trim().slice(0, 30)}"`);
    }
    return [...faults];
  },
  // What screen readers and keyboards need.
  accessible() {
    const faults = [], all = css => [...document.querySelectorAll(css)];
    const say = (holds, what) => { if (!holds) faults.push(what); };
    say(document.documentElement.lang, 'no language');
    say(document.title.trim(), 'no title');
    say(all('main').length === 1 && all('body > header').length === 1 && all('body > footer').length === 1, 'landmarks');
    say(all('h1').length === 1, 'not one h1');
    let before = 0;
    for (const heading of all('h1,h2,h3,h4,h5,h6')) {
      const level = Number(heading.tagName[1]);
      say(level <= before + 1, `a heading of level ${level} below one of level ${before}`);
      before = level;
    }
    const ids = all('[id]').map(element => element.id);
    say(new Set(ids).size === ids.length, 'an id twice');
    for (const image of all('img')) say(image.hasAttribute('alt'), 'an image without text');
    for (const input of all('input,meter,button')) say(input.labels?.length || input.getAttribute('aria-label') || input.textContent, `${input.type} without a label`);
    for (const link of all('a[href]')) say(link.textContent.trim(), `a link without text: ${link.href}`);
    for (const nav of all('nav')) say(nav.getAttribute('aria-label'), 'a nav without a label');
    for (const table of all('table.list,table.facts,table.cal')) say(table.querySelector('th[scope]'), 'a table without heads');
    say(document.querySelector('.skip')?.hash === '#top', 'no way past the head');
    return faults;
  },
  // Nothing is wider than the window, and nothing lies upon something else.
  layout() {
    const faults = [], width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) faults.push(`${document.documentElement.scrollWidth} wide in ${width}`);
    const articles = [...document.querySelectorAll('article')];
    let last = null;
    for (const article of articles) {
      const box = article.getBoundingClientRect();
      if (box.height === 0) continue;
      if (box.left < 0 || box.right > width + 0.5) faults.push(`${article.id} leaves the window`);
      if (last && box.top < last - 1) faults.push(`${article.id} lies upon the one before`);
      last = box.bottom;
      const time = article.querySelector('.t').getBoundingClientRect();
      for (const child of article.querySelectorAll('.b,.re,.f,.po')) {
        const text = child.getBoundingClientRect();
        if (text.right > time.left + 0.5 && text.top < time.bottom - 1 && text.bottom > time.top + 1) faults.push(`the time of ${article.id} lies upon its text`);
      }
    }
    return faults;
  },
  // Links within the page lead somewhere; the others are not followed here.
  links() {
    return [...document.querySelectorAll('a[href^="#"]')].filter(link => !document.getElementById(link.hash.slice(1))).map(link => link.hash);
  },
})
