// Elements, messages and questions. Text is only ever put in as text.

export function el(name, given = {}, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...inside.flat(Infinity).filter((part) => part != null && part !== false));
  return element;
}

let clearing;

/** Tells a person what happened, for some seconds. */
export function say(text) {
  const line = document.getElementById('said');
  line.textContent = text;
  clearTimeout(clearing);
  clearing = setTimeout(() => { line.textContent = ''; }, 8000);
}

/** Puts a view in place of the former, and the focus on the field where it begins, or on the view. */
export function show(title, ...parts) {
  document.title = `${title} · Workshop`;
  say('');
  const main = document.getElementById('main');
  main.replaceChildren(...parts.flat().filter((part) => part));
  (main.querySelector('[data-first]') ?? main).focus();
}

/** A place for what went wrong; it stays there until the next try. `tell('')` empties it. */
export function trouble() {
  const place = el('div', { role: 'alert' });
  const tell = (text, remedy) => place.replaceChildren(...(text ? [
    el('div', { class: 'note bad' }, el('p', {}, text), remedy && el('p', {}, remedy)),
  ] : []));
  return [place, tell];
}

/** Asks before something that cannot be undone; resolves to what was answered. */
export function ask(question, detail, yes, boxes = []) {
  return new Promise((resolve) => {
    const checks = boxes.map(([name, text]) => [name, el('input', { type: 'checkbox', id: `ask-${name}` }), text]);
    const answer = (value) => { dialog.close(); dialog.remove(); resolve(value); };
    const keep = el('button', { type: 'button', onclick: () => answer(null) }, 'Keep it');
    const dialog = el('dialog', { 'aria-labelledby': 'question', 'aria-describedby': 'detail', oncancel: () => answer(null) },
      el('h2', { id: 'question' }, question),
      el('p', { id: 'detail' }, detail),
      checks.map(([name, box, text]) => el('p', { class: 'choice' }, box, el('label', { for: `ask-${name}`, class: 'beside' }, text))),
      el('div', { class: 'row' },
        el('button', { type: 'button', class: 'bad', onclick: () => answer(Object.fromEntries(checks.map(([name, box]) => [name, box.checked]))) }, yes),
        keep));
    document.body.append(dialog);
    dialog.showModal();
    keep.focus();
  });
}

/** A button that does nothing while it is at work, and keeps the focus. */
export function button(given, text, work) {
  const made = el('button', { type: 'button', ...given, onclick: async () => {
    if (made.hasAttribute('aria-disabled')) return;
    made.setAttribute('aria-disabled', 'true');
    try {
      await work();
    } finally {
      made.removeAttribute('aria-disabled');
    }
  } }, text);
  return made;
}

/** A form that says what went wrong, where the person looks. */
export function form(fields, press, action) {
  const error = el('p', { class: 'error', role: 'alert' });
  const send = el('button', { class: 'key' }, press);
  return el('form', {
    onsubmit: async (event) => {
      event.preventDefault();
      if (send.hasAttribute('aria-disabled')) return;
      const sent = event.target;
      for (const input of sent.elements) input.removeAttribute('aria-invalid');
      error.textContent = '';
      send.setAttribute('aria-disabled', 'true');
      try {
        await action(Object.fromEntries(new FormData(sent)));
      } catch (refusal) {
        error.textContent = refusal.message;
        const wrong = sent.elements.namedItem(refusal.field ?? '');
        if (wrong) { wrong.setAttribute('aria-invalid', 'true'); wrong.focus(); }
      } finally {
        send.removeAttribute('aria-disabled');
      }
    },
  }, fields.map((field) => [
    el('label', { for: `field-${field.name}` }, field.label),
    el('input', { id: `field-${field.name}`, required: !field.optional, ...field.input, name: field.name,
      'aria-describedby': field.hint ? `hint-${field.name}` : null }),
    field.hint && el('p', { class: 'hint', id: `hint-${field.name}` }, field.hint),
  ]), error, send);
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function size(bytes) {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) { bytes /= 1000; unit += 1; }
  return `${unit === 0 ? bytes : bytes.toPrecision(3)} ${UNITS[unit]}`;
}

/** A moment, short, with the exact one to be had. */
export function when(time) {
  if (!time) return '–';
  const at = new Date(time);
  return el('time', { datetime: at.toISOString(), title: at.toLocaleString() },
    at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' }));
}

/** The way back to the list. */
export const back = () => el('a', { class: 'back', href: '#/' }, '← All sessions');
