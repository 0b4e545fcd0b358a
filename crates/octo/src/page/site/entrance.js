// Log-in and registration.
import { el, form, show } from './dom.js';
import { post } from './api.js';

const NAME = { name: 'username', label: 'Name', input: { autocomplete: 'username', autofocus: true, autocapitalize: 'none' } };

export function entrance(done) {
  show('Log in',
    el('div', { class: 'card narrow' },
      el('h1', {}, 'Log in'),
      form([
        { ...NAME, label: 'Name or e-mail address' },
        { name: 'password', label: 'Password', input: { type: 'password', autocomplete: 'current-password' } },
      ], 'Log in', async (given) => { await post('/api/auth/login', given); await done(); }),
      el('p', {}, 'You have an invite code? ',
        el('button', { type: 'button', onclick: () => registration(done) }, 'Register'))));
}

function registration(done) {
  show('Register',
    el('div', { class: 'card narrow' },
      el('h1', {}, 'Register'),
      form([
        { name: 'invite_code', label: 'Invite code', hint: 'From whoever runs this workshop.',
          input: { autocomplete: 'off', autofocus: true } },
        { ...NAME, hint: '3 to 50 letters, digits, - or _.', input: { ...NAME.input, autofocus: false, pattern: '[A-Za-z0-9_\\-]{3,50}' } },
        { name: 'email', label: 'E-mail address', input: { type: 'email', autocomplete: 'email' } },
        { name: 'password', label: 'Password', hint: 'At least 8 characters.',
          input: { type: 'password', autocomplete: 'new-password', minlength: 8 } },
      ], 'Register', async (given) => { await post('/api/auth/register', given); await done(); }),
      el('p', {}, 'You are registered? ',
        el('button', { type: 'button', onclick: () => entrance(done) }, 'Log in'))));
}
