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

/** Puts a view in place of the former, and the focus on it. */
export function show(title, ...parts) {
  document.title = `${title} · Workshop`;
  const main = document.getElementById('main');
  main.replaceChildren(...parts.filter((part) => part));
  main.focus();
}

/** Asks before something that cannot be undone; resolves to what was answered. */
export function ask(question, detail, yes, boxes = []) {
  return new Promise((resolve) => {
    const checks = boxes.map(([name, text]) => [name, el('input', { type: 'checkbox', id: `ask-${name}`, class: 'box' }), text]);
    const answer = (value) => { dialog.close(); dialog.remove(); resolve(value); };
    const dialog = el('dialog', { 'aria-labelledby': 'question', oncancel: () => answer(null) },
      el('h2', { id: 'question' }, question),
      el('p', {}, detail),
      checks.map(([name, box, text]) => el('p', {}, box, ' ', el('label', { for: `ask-${name}`, class: 'beside' }, text))),
      el('div', { class: 'row' },
        el('button', { type: 'button', class: 'bad', onclick: () => answer(Object.fromEntries(checks.map(([name, box]) => [name, box.checked]))) }, yes),
        el('button', { type: 'button', autofocus: true, onclick: () => answer(null) }, 'Keep it')));
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A form that says what went wrong, where the person looks. */
export function form(fields, press, action) {
  const error = el('p', { class: 'error', role: 'alert' });
  const button = el('button', { class: 'key' }, press);
  return el('form', {
    onsubmit: async (event) => {
      event.preventDefault();
      error.textContent = '';
      button.disabled = true;
      try {
        await action(Object.fromEntries(new FormData(event.target)));
      } catch (refusal) {
        error.textContent = refusal.message;
      } finally {
        button.disabled = false;
      }
    },
  }, fields.map((field) => [
    el('label', { for: `field-${field.name}` }, field.label),
    el('input', { id: `field-${field.name}`, required: !field.optional, ...field.input, name: field.name,
      'aria-describedby': field.hint ? `hint-${field.name}` : null }),
    field.hint && el('p', { class: 'hint', id: `hint-${field.name}` }, field.hint),
  ]), error, button);
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function size(bytes) {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) { bytes /= 1000; unit += 1; }
  return `${unit === 0 ? bytes : bytes.toPrecision(3)} ${UNITS[unit]}`;
}

export function when(time) {
  return time ? new Date(time).toLocaleString() : '–';
}
