//! Telegram: the bot's token, and the chat.

use super::super::markup::Markup;
use super::super::sight::{Card, Course, Telegram};
use super::super::words::ENGLISH;
use super::course;
use super::form::{Form, button};

/// Draws what is Telegram's own on its card.
pub(super) fn draw(out: &mut Markup, telegram: &Telegram, card: &Card, form: Form<'_>) {
    out.wrap("dl", &[], |out| {
        out.element("dt", &[], ENGLISH.telegram_chat);
        out.element("dd", &[], telegram.chat.as_deref().unwrap_or(ENGLISH.telegram_no_chat));
    });
    course::draw(out, &card.course, &ENGLISH.telegram_wait, form);
    if !matches!(card.course, Course::Idle | Course::Done(_) | Course::Failed(_)) {
        return;
    }
    let paired = telegram.has_token && telegram.chat.is_some();
    if paired {
        out.wrap("div", &[("class", "row")], |out| form.button(out, "", "test", ENGLISH.test));
        form.fold(out, "pair", ENGLISH.again, |out| pair(out, telegram, card, form));
    } else {
        pair(out, telegram, card, form);
    }
    if telegram.has_token {
        form.risk(out, "forget", ENGLISH.telegram_forget);
    }
}

fn pair(out: &mut Markup, telegram: &Telegram, card: &Card, form: Form<'_>) {
    out.wrap("ol", &[], |out| ENGLISH.telegram_steps.iter().for_each(|step| out.element("li", &[], step)));
    let id = ["token-", &card.line.name.replace(' ', "-")].concat();
    form.draw(out, |out| {
        out.element("label", &[("for", &id)], ENGLISH.telegram_token);
        let attributes = [
            ("id", id.as_str()),
            ("name", "token"),
            ("type", "password"),
            ("autocomplete", "off"),
            ("spellcheck", "false"),
            ("required", ""),
        ];
        let count = attributes.len() - usize::from(telegram.has_token);
        out.open("input", attributes.get(..count).unwrap_or_default());
        if telegram.has_token {
            out.element("p", &[("class", "soft")], ENGLISH.telegram_kept);
        }
        button(out, "main", "pair", ENGLISH.telegram_pair);
    });
}
