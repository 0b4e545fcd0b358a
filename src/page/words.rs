//! The page's own English, in one place: what stands on it, and what is said of what was pressed. What the bridges report
//! comes as it is.

/// The words of a page.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) lost: &'static str,
    pub(super) ended: &'static str,
    pub(super) no_job: &'static str,
    pub(super) printing: &'static str,
    pub(super) paused: &'static str,
    pub(super) camera: &'static str,
    pub(super) foot: &'static str,
    pub(super) problems: &'static str,
    pub(super) remedy: &'static str,

    pub(super) on: &'static str,
    pub(super) off: &'static str,
    pub(super) states: [&'static str; 5],
    pub(super) unpaired: &'static str,
    pub(super) queued: &'static str,

    pub(super) test: &'static str,
    pub(super) cancel: &'static str,
    pub(super) again: &'static str,
    pub(super) busy: &'static str,
    pub(super) left: &'static str,
    pub(super) open: &'static str,
    pub(super) qr: &'static str,
    pub(super) code: &'static str,
    pub(super) remarks: &'static str,

    pub(super) octoapp: &'static str,
    pub(super) octoapp_about: &'static str,
    pub(super) octoapp_phones: &'static str,
    pub(super) octoapp_none: &'static str,
    pub(super) octoapp_looking: &'static str,
    pub(super) octoapp_pair: &'static str,
    pub(super) octoapp_steps: [&'static str; 3],
    pub(super) octoapp_no_address: &'static str,
    pub(super) octoapp_forget: [&'static str; 3],

    pub(super) prusa: &'static str,
    pub(super) prusa_about: &'static str,
    pub(super) prusa_serial: &'static str,
    pub(super) prusa_server: &'static str,
    pub(super) prusa_token: &'static str,
    pub(super) prusa_no: &'static str,
    pub(super) prusa_waiting: &'static str,
    pub(super) prusa_yes: &'static str,
    pub(super) prusa_refused: &'static str,
    pub(super) prusa_pair: &'static str,
    pub(super) prusa_steps: [&'static str; 2],
    pub(super) prusa_forget: [&'static str; 3],
    pub(super) prusa_import: [&'static str; 4],

    pub(super) telegram: &'static str,
    pub(super) telegram_about: &'static str,
    pub(super) telegram_chat: &'static str,
    pub(super) telegram_no_chat: &'static str,
    pub(super) telegram_steps: [&'static str; 3],
    pub(super) telegram_token: &'static str,
    pub(super) telegram_kept: &'static str,
    pub(super) telegram_pair: &'static str,
    pub(super) telegram_wait: [&'static str; 2],
    pub(super) telegram_control: &'static str,
    pub(super) telegram_forget: [&'static str; 3],

    pub(super) log: &'static str,
    pub(super) log_empty: &'static str,
    pub(super) doctor: &'static str,
    pub(super) doctor_about: &'static str,
    pub(super) doctor_start: &'static str,
    pub(super) doctor_running: &'static str,
    pub(super) doctor_at: &'static str,
    pub(super) levels: [&'static str; 3],
    /// What bridges say of commands, up to the rest of the command, and what is said of it on a page that has a button
    /// for it.
    pub(super) commands: [(&'static str, &'static str); 4],
}

/// English.
pub(super) const ENGLISH: Words = Words {
    title: "Octobridge",
    lost: "The printer does not answer. This page goes on by itself as soon as it does.",
    ended: "The service was started anew, which has ended what was under way here. Begin it again.",
    no_job: "Nothing is being printed.",
    printing: "Printing",
    paused: "Paused:",
    camera: "What the printer's camera sees",
    foot: "Octobridge",
    problems: "To be mended",
    remedy: "What to do:",

    on: "On",
    off: "Off",
    states: ["Off", "Works", "Waits", "Look at this", "Does not work"],
    unpaired: "Not paired yet",
    queued: "messages wait to be sent.",

    test: "Send a test",
    cancel: "Cancel",
    again: "Choose another chat or bot",
    busy: "One moment…",
    left: "Time left:",
    open: "Open this link, or scan the code with your phone:",
    qr: "QR code of the link above",
    code: "Code:",
    remarks: "Meanwhile",

    octoapp: "OctoApp",
    octoapp_about: "Tells the OctoApp app on your phone about your prints.",
    octoapp_phones: "Registered phones",
    octoapp_none: "No phone is registered yet.",
    octoapp_looking: "Which phones are registered is being looked up.",
    octoapp_pair: "Add a phone",
    octoapp_steps: [
        "Bring the phone into the printer's network, and open OctoApp.",
        "Add a printer there by this address, or open this one if the app has it already.",
        "Allow notifications when the app asks.",
    ],
    octoapp_no_address: "Take the address by which you opened this page.",
    octoapp_forget: [
        "Forget all phones",
        "All registrations are deleted, and OctoApp is switched off unless no other bridge is on. A phone registers \
         anew when the printer is opened in its app.",
        "Forget them",
    ],

    prusa: "Prusa Connect",
    prusa_about: "Shows the printer in Prusa Connect, which can send it files and control it.",
    prusa_serial: "Serial number",
    prusa_server: "Server",
    prusa_token: "Token",
    prusa_no: "Not registered yet.",
    prusa_waiting: "Waits until you have entered the code.",
    prusa_yes: "Registered.",
    prusa_refused: "Prusa Connect does not take the token any more. Forget it, remove the printer there, and get a new code.",
    prusa_pair: "Get a code",
    prusa_steps: ["Log in at Prusa Connect by this link.", "Add the printer; the code is filled in already."],
    prusa_forget: [
        "Forget the registration",
        "Token and code are deleted, and Prusa Connect is switched off unless no other bridge is on. Remove the printer in \
         Prusa Connect too: it cannot do that itself. The serial number stays.",
        "Forget it",
    ],
    prusa_import: ["I have a prusa_printer_settings.ini", "The file", "Its text", "Take its token"],

    telegram: "Telegram",
    telegram_about: "Sends messages and pictures of your prints to a Telegram chat.",
    telegram_chat: "Chat",
    telegram_no_chat: "No chat is chosen yet.",
    telegram_steps: [
        "In Telegram, open @BotFather and send /newbot.",
        "Answer with a name, then with a user name that ends in bot. You get a token.",
        "Put the token in here.",
    ],
    telegram_token: "Token of the bot",
    telegram_kept: "Leave this empty to keep the token that is stored.",
    telegram_pair: "Find my chat",
    telegram_wait: ["Open the link on your phone and press Start.", "Your chat shows up here."],
    telegram_control: "Whoever sent the code may also pause, cancel and print from the chat",
    telegram_forget: [
        "Forget the bot",
        "The token is deleted, and Telegram is switched off unless no other bridge is on. The chat stays in the \
         settings.",
        "Forget it",
    ],

    log: "What happened",
    log_empty: "Nothing so far.",
    doctor: "Check everything",
    doctor_about: "Looks at everything from the files to the clouds, and changes nothing. Takes up to half a minute.",
    doctor_start: "Check now",
    doctor_running: "Looking at",
    doctor_at: "Checked at",
    levels: ["Well", "Look at this", "To be mended"],
    commands: [
        ("run `octobridge pair", "pair it on its card"),
        ("with `octobridge pair", "on its card"),
        ("with `octobridge secret set telegram", "on its card"),
        ("`octobridge test", "a test"),
    ],
};

/// What is said of what was pressed. A place in braces is filled by [`fill`].
pub(crate) struct Said {
    pub(crate) not_here: &'static str,
    pub(crate) no_name: &'static str,
    pub(crate) stranger: &'static str,
    pub(crate) not_taken: &'static str,
    pub(crate) no_body: &'static str,
    pub(crate) no_picture: &'static str,
    pub(crate) own_forms: &'static str,
    pub(crate) broken_form: &'static str,
    pub(crate) late_form: &'static str,
    pub(crate) anew: &'static str,
    pub(crate) done: &'static str,
    pub(crate) too_many: &'static str,
    pub(crate) no_form: &'static str,

    pub(crate) connected: &'static str,
    pub(crate) klipper: &'static str,
    pub(crate) note: &'static str,
    pub(crate) no_bridge: &'static str,
    pub(crate) goes_on: &'static str,
    pub(crate) busy: &'static str,
    pub(crate) no_thread: &'static str,
    pub(crate) examined: &'static str,
    pub(crate) last_bridge: &'static str,
    pub(crate) tested: &'static str,

    pub(crate) octoapp_elsewhere: &'static str,
    pub(crate) octoapp_stays: &'static str,
    pub(crate) octoapp_done: &'static str,
    pub(crate) octoapp_forgotten: &'static str,

    pub(crate) prusa_add: &'static str,
    pub(crate) prusa_done: &'static str,
    pub(crate) prusa_imported: &'static str,
    pub(crate) prusa_forgotten: &'static str,

    pub(crate) telegram_no_token: &'static str,
    pub(crate) telegram_group: &'static str,
    pub(crate) telegram_topic: &'static str,
    pub(crate) telegram_somebody: &'static str,
    pub(crate) telegram_question: &'static str,
    pub(crate) telegram_in_topic: &'static str,
    pub(crate) telegram_late: &'static str,
    pub(crate) telegram_not_stored: &'static str,
    pub(crate) telegram_done: &'static str,
    pub(crate) telegram_forgotten: &'static str,
    pub(crate) telegram_poller: &'static str,
    pub(crate) telegram_the_token: &'static str,
}

/// English.
pub(crate) const SAID: Said = Said {
    not_here: "The set-up page is shown to the printer's own web server alone: open /octobridge/ there. To show it \
                        to everybody in the network, set PAGE to anyone ([octobridge] page).",
    no_name: "This is no name of the printer that the set-up page knows. Open it by the printer's address, or add \
                       the name to PAGE_HOSTS ([octobridge] page_hosts).",
    stranger: "This form comes from another page. Load the set-up page, and try again.",
    not_taken: "The page does not take this.",
    no_body: "No body is taken.",
    no_picture: "The camera gave no picture within 15 s.",
    own_forms: "The page takes its own forms alone.",
    broken_form: "The form is too large, or broke off.",
    late_form: "The form did not come within 10 s.",
    anew: "The service was started anew meanwhile. Load the page again.",
    done: "Done.",
    too_many: "The page is open too many times; close one.",
    no_form: "This form is none of the page's; load the page again.",

    connected: "Connected",
    klipper: ", Klipper {}",
    note: " Note: {}",
    no_bridge: "There is no such bridge any more. Load the page again.",
    goes_on: "Something goes on for this bridge already. Wait for it, or cancel it first.",
    busy: ENGLISH.busy,
    no_thread: "There is no thread for it ({}). Try again later.",
    examined: "An examination goes on already.",
    last_bridge: "This is the last bridge that is on. Without any the service ends, and this page with it: switch it off \
                  where it was switched on, in the printer's settings.",
    tested: "A test message was taken{}.",

    octoapp_elsewhere: "From another network:",
    octoapp_stays: "{}. {} stays registered; send a test to try it again",
    octoapp_done: "{}: registered, and was sent a first message.",
    octoapp_forgotten: "All phones are forgotten.",

    prusa_add: "Or enter the code here:",
    prusa_done: "Prusa Connect has taken the printer.",
    prusa_imported: "The token is taken. Should Connect refuse it, forget it and get a code instead.",
    prusa_forgotten: "The registration is forgotten here. Remove the printer in Prusa Connect, too.",

    telegram_no_token: "There is no token yet. Put one in.",
    telegram_group: "For messages to a group, add the bot to it by this link:",
    telegram_topic: "For a topic of a group that the bot is in, write this there:",
    telegram_somebody: "Somebody",
    telegram_question: "{} sent the code. Where shall messages about prints go?",
    telegram_in_topic: ", topic {}",
    telegram_late: "No chat was chosen in time; start again.",
    telegram_not_stored: "{}; nothing was stored",
    telegram_done: "Messages about prints go to {} from now on; the first one is there.",
    telegram_forgotten: "The bot is forgotten.",
    telegram_poller: "{}; end that one, or make a bot of its own for the printer with @BotFather",
    telegram_the_token: "The token ",
};

/// What is said to somebody in a terminal, for somebody on the page.
pub(super) fn on_the_page(text: &str) -> String {
    let mut said = text.to_owned();
    for (command, button) in ENGLISH.commands {
        while let Some((before, rest)) = said.split_once(command) {
            let after = rest.split_once('`').map(|(_, after)| after).unwrap_or_default();
            said = [before, button, after].concat();
        }
    }
    said
}

/// A text with its places filled, in their order.
pub(crate) fn fill(text: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(values.next().copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_button_is_not_done_in_a_terminal() {
        for (text, said) in [
            ("not registered; run `octobridge pair prusa-connect`", "not registered; pair it on its card"),
            ("it ended; begin anew with `octobridge pair octoapp`.", "it ended; begin anew on its card."),
            (
                "run `octobridge pair telegram`, or store it with `octobridge secret set telegram_bot_token`",
                "pair it on its card, or store it on its card",
            ),
            ("only a message tells: `octobridge test`", "only a message tells: a test"),
            ("cut off: run `octobridge pair", "cut off: pair it on its card"),
            // These have none.
            (
                "run `octobridge secret set openrouter_api_key`",
                "run `octobridge secret set openrouter_api_key`",
            ),
            ("run `chmod 600 a`", "run `chmod 600 a`"),
        ] {
            assert_eq!(on_the_page(text), said);
        }
    }

    #[test]
    fn places_are_filled_in_their_order_and_what_fills_them_is_left_alone() {
        for (text, values, filled) in [
            ("{}. {} stays", &["{}", "b"][..], "{}. b stays"),
            ("none", &["a"], "none"),
            ("{}{}", &["a"], "a"),
            ("a {}", &["b"], "a b"),
        ] {
            assert_eq!(fill(text, values), filled);
        }
    }
}
