//! Settings of the Telegram bridge, and of the defect checks whose findings it tells.

use super::{Key, plain, secret};

/// The bot's token.
pub(in crate::settings) const TELEGRAM_BOT_TOKEN: Key =
    secret("TELEGRAM_BOT_TOKEN", "token of the bot, from @BotFather");
/// The chat that is told.
pub(in crate::settings) const TELEGRAM_CHAT_ID: Key =
    own("TELEGRAM_CHAT_ID", "chat_id", None, "chat to send to: a number or @name");

/// Secrets of this bridge whose names do not say so.
pub(super) const OTHER_SECRETS: [&str; 1] = ["OPENROUTER_API_KEY"];

/// All of them, in the order in which they are shown.
pub(super) const KEYS: [Key; 28] = [
    TELEGRAM_BOT_TOKEN,
    TELEGRAM_CHAT_ID,
    own("TELEGRAM_THREAD_ID", "thread_id", None, "topic in the chat; none or 0: no topic"),
    own("TELEGRAM_API_URL", "api_url", Some("https://api.telegram.org"), "address of the Bot API server"),
    own(
        "TELEGRAM_EVENTS",
        "events",
        None,
        "kinds of messages, with commas: start, state, progress, pause, attention, end, photo, alert, macro; also first_layer, klipper, feed, ready; or +KIND and -KIND",
    ),
    own("TELEGRAM_SILENT", "silent", None, "kinds of messages that make no sound, as in TELEGRAM_EVENTS"),
    own(
        "PROGRESS_STEP",
        "progress_step",
        Some("5"),
        "a message for each so many per cent, from 1 to 100; 0: none",
    ),
    own(
        "PHOTO_INTERVAL_SECONDS",
        "photo_interval_seconds",
        Some("3600"),
        "a photo at the start of a job and each so many seconds; 0: none but the last",
    ),
    own(
        "TELEGRAM_SHORT_PAUSE_SECONDS",
        "short_pause_seconds",
        Some("5"),
        "a pause that ends within so many seconds is not told, from 0 to 60; the feed's are told at once",
    ),
    own("TELEGRAM_FORMAT", "format", Some("plain"), "how texts are written: plain, html or markdown"),
    own(
        "TELEGRAM_PRINTER_NAME",
        "printer_name",
        None,
        "name of the printer in front of each message, where several share a chat",
    ),
    own(
        "TELEGRAM_MENTION",
        "mention",
        None,
        "text added to a defect alert, such as @name, so that the phone rings",
    ),
    own("TELEGRAM_GREETING", "greeting", Some("off"), "on: a message when the service starts"),
    own(
        "TELEGRAM_STATUS_MESSAGE",
        "status_message",
        Some("off"),
        "edit: one message that is kept up to date while printing; edit_pin: pinned as well",
    ),
    own(
        "TELEGRAM_ALLOWED_CHATS",
        "allowed_chats",
        None,
        "numbers of the chats that may use commands, with commas; none: no commands",
    ),
    own(
        "TELEGRAM_ALLOWED_USERS",
        "allowed_users",
        None,
        "numbers of the people who may control the printer, with commas; none: nobody",
    ),
    own("TELEGRAM_MACROS", "macros", None, "macros that /macro may run, with commas; all: every one"),
    own("TELEGRAM_GCODE", "gcode", Some("off"), "on: /gcode may send any G-code to the printer"),
    secret(
        "OPENROUTER_API_KEY",
        "key of OpenRouter, or of any server of its API: switches defect checks on; the camera's pictures leave the house",
    ),
    own(
        "OPENROUTER_BASE_URL",
        "openrouter_base_url",
        Some("https://openrouter.ai/api/v1"),
        "address of that server",
    ),
    own("AI_MODEL", "ai_model", Some("google/gemini-2.5-flash"), "model that looks at the pictures"),
    own(
        "AI_CHECK_INTERVAL_SECONDS",
        "ai_check_interval_seconds",
        Some("3600"),
        "a check each so many seconds of a job; 0: none",
    ),
    own(
        "AI_CONFIDENCE_THRESHOLD",
        "ai_confidence_threshold",
        Some("0.7"),
        "an alert from this confidence on, from 0 to 1",
    ),
    own("AI_TIMEOUT_SECONDS", "ai_timeout_seconds", Some("60"), "longest wait for an answer"),
    own("AI_MAX_TOKENS", "ai_max_tokens", Some("300"), "longest answer; more for models that reason"),
    own(
        "AI_STRUCTURED",
        "ai_structured",
        Some("0"),
        "1: asks for an answer by a schema, which not every model knows",
    ),
    own(
        "AI_FIRST_DELAY_SECONDS",
        "ai_first_delay_seconds",
        Some("0"),
        "the first check of a job comes after so many seconds",
    ),
    own(
        "AI_CHECKS_PER_DAY",
        "ai_checks_per_day",
        Some("50"),
        "most requests in 24 hours, which bounds the cost; 0: no bound",
    ),
];

const fn own(
    name: &'static str,
    key: &'static str,
    default: Option<&'static str>,
    about: &'static str,
) -> Key {
    plain(name, "telegram", key, default, about)
}
