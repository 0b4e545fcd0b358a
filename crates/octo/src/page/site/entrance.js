// Log-in and registration.
import { el, form, show } from './dom.js';
import { post } from './api.js';

const NAME = { name: 'username', label: 'Name', input: { autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false' } };

export function entrance(done) {
  show('Log in',
    el('div', { class: 'card narrow' },
      el('h1', {}, 'Log in'),
      el('p', { class: 'faint' }, 'Build firmware overlays in sessions of your own: a terminal, your files and the builder, in the browser.'),
      form([
        { ...NAME, label: 'Name or e-mail address', input: { ...NAME.input, 'data-first': true } },
        { name: 'password', label: 'Password', input: { type: 'password', autocomplete: 'current-password' } },
      ], 'Log in', async (given) => { await post('/api/auth/login', given); await done(); }),
      el('hr'),
      el('div', { class: 'row apart' }, el('span', {}, 'Do you have an invite code?'),
        el('button', { type: 'button', onclick: () => registration(done) }, 'Register'))));
}

function registration(done) {
  show('Register',
    el('div', { class: 'card narrow' },
      el('h1', {}, 'Register'),
      el('p', { class: 'faint' }, 'Whoever runs this workshop gives you an invite code.'),
      form([
        { name: 'invite_code', label: 'Invite code', input: { autocomplete: 'off', autocapitalize: 'characters', spellcheck: 'false', 'data-first': true } },
        { ...NAME, hint: '3 to 50 letters, digits, - or _.', input: { ...NAME.input, pattern: '[A-Za-z0-9_\\-]{3,50}', title: '3 to 50 letters, digits, - or _' } },
        { name: 'email', label: 'E-mail address', input: { type: 'email', autocomplete: 'email' } },
        { name: 'password', label: 'Password', hint: 'At least 8 characters.',
          input: { type: 'password', autocomplete: 'new-password', minlength: 8 } },
      ], 'Register', async (given) => { await post('/api/auth/register', given); await done(); }),
      el('hr'),
      el('div', { class: 'row apart' }, el('span', {}, 'Are you registered?'),
        el('button', { type: 'button', onclick: () => entrance(done) }, 'Log in'))));
}
