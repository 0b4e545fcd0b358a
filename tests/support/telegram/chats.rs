//! Chats, and who may write to them.

use serde_json::{Value, json};

/// Why the service does not do a call that is in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) description: String,
    /// What is to go with it as `parameters`.
    pub(crate) parameters: Option<Value>,
}

/// A refusal with 400.
pub(super) fn bad(description: impl std::fmt::Display) -> Refusal {
    Refusal { status: 400, description: format!("Bad Request: {description}"), parameters: None }
}

/// What a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChatKind {
    Private,
    Group,
    Supergroup,
    /// A supergroup with topics.
    Forum,
    Channel,
}

/// How the bot stands in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may write.
    Member,
    /// It was thrown out, or the user has blocked it.
    Out,
    /// The user's account is gone.
    Deactivated,
    /// It may read and not write.
    Muted,
    /// The group has become the supergroup of this number.
    Migrated(i64),
}

/// A topic of a forum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) id: i64,
    pub(crate) closed: bool,
}

/// A chat.
#[derive(Debug, Clone)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    pub(crate) kind: ChatKind,
    /// A group's title, a person's first name.
    pub(crate) title: String,
    /// The name that `@name` means.
    pub(crate) username: Option<String>,
    pub(crate) standing: Standing,
    /// Whether the bot may pin messages.
    pub(crate) may_pin: bool,
    /// The topics that there are; none takes every number but 1 and those that were deleted or closed.
    pub(crate) topics: Option<Vec<Topic>>,
    /// Topics that were deleted or closed where all others exist.
    pub(crate) ended: Vec<Topic>,
    /// Messages that are pinned, the newest last.
    pub(crate) pinned: Vec<i64>,
}

impl Chat {
    /// A chat of this kind that the bot may write to.
    pub(crate) fn new(id: i64, kind: ChatKind) -> Self {
        assert_eq!(
            id > 0,
            kind == ChatKind::Private,
            "the number of a private chat is that of its user, others are below 0"
        );
        let title = if kind == ChatKind::Private { format!("User {id}") } else { "Printers".to_owned() };
        Self {
            id,
            kind,
            title,
            username: None,
            standing: Standing::Member,
            may_pin: true,
            topics: None,
            ended: Vec::new(),
            pinned: Vec::new(),
        }
    }

    /// A forum with these topics and no others.
    pub(crate) fn forum(id: i64, topics: &[i64]) -> Self {
        let topics = topics.iter().map(|&id| Topic { id, closed: false }).collect();
        Self { topics: Some(topics), ..Self::new(id, ChatKind::Forum) }
    }

    /// As the API's `Chat`.
    pub(super) fn shown(&self) -> Value {
        let mut chat = match self.kind {
            ChatKind::Private => json!({"id": self.id, "type": "private", "first_name": self.title}),
            ChatKind::Group => json!({"id": self.id, "type": "group", "title": self.title}),
            ChatKind::Supergroup => json!({"id": self.id, "type": "supergroup", "title": self.title}),
            ChatKind::Forum => {
                json!({"id": self.id, "type": "supergroup", "title": self.title, "is_forum": true})
            }
            ChatKind::Channel => json!({"id": self.id, "type": "channel", "title": self.title}),
        };
        if let Some(username) = &self.username {
            chat["username"] = json!(username);
        }
        chat
    }

    /// As the API's `ChatFullInfo`.
    pub(super) fn shown_in_full(&self) -> Value {
        let mut chat = self.shown();
        chat["accent_color_id"] = json!(0);
        chat["max_reaction_count"] = json!(11);
        chat["accepted_gift_types"] = json!({
            "unlimited_gifts": false, "limited_gifts": false, "unique_gifts": false, "premium_subscription": false,
            "gifts_from_channels": false
        });
        chat
    }

    fn name(&self) -> &'static str {
        match self.kind {
            ChatKind::Private => "private",
            ChatKind::Group => "group",
            ChatKind::Supergroup | ChatKind::Forum => "supergroup",
            ChatKind::Channel => "channel",
        }
    }

    /// Whether the bot can see it at all.
    pub(super) fn readable(&self) -> Result<(), Refusal> {
        let forbidden =
            |why: String| Refusal { status: 403, description: format!("Forbidden: {why}"), parameters: None };
        match self.standing {
            Standing::Member | Standing::Muted => Ok(()),
            Standing::Out if self.kind == ChatKind::Private => {
                Err(forbidden("bot was blocked by the user".to_owned()))
            }
            Standing::Out => Err(forbidden(format!("bot was kicked from the {} chat", self.name()))),
            Standing::Deactivated => Err(forbidden("user is deactivated".to_owned())),
            Standing::Migrated(to) => Err(Refusal {
                parameters: Some(json!({"migrate_to_chat_id": to})),
                ..bad("group chat was upgraded to a supergroup chat")
            }),
        }
    }

    /// Whether the bot may write to it; `what` is what it sends.
    pub(super) fn writable(&self, what: &str) -> Result<(), Refusal> {
        self.readable()?;
        if self.standing == Standing::Muted {
            return Err(bad(format!("not enough rights to send {what} to the chat")));
        }
        Ok(())
    }

    /// The topic that a message goes to; none for none.
    pub(super) fn thread(&self, wanted: Option<i64>) -> Result<Option<i64>, Refusal> {
        let Some(wanted) = wanted else { return Ok(None) };
        match self.kind {
            // Where there are no topics the number is not looked at.
            ChatKind::Group | ChatKind::Supergroup | ChatKind::Channel => return Ok(None),
            ChatKind::Private => return Err(bad("message thread not found")),
            ChatKind::Forum => {}
        }
        let known = self.topics.as_ref().is_none_or(|topics| topics.iter().any(|topic| topic.id == wanted));
        let topic = self.topics.iter().flatten().chain(&self.ended).find(|topic| topic.id == wanted);
        match topic {
            Some(topic) if topic.closed => Err(bad("TOPIC_CLOSED")),
            Some(_) if self.topics.is_some() => Ok(Some(wanted)),
            None if known && wanted > 1 => Ok(Some(wanted)),
            _ => Err(bad("message thread not found")),
        }
    }

    /// Closes a topic, or takes it away.
    pub(super) fn end_topic(&mut self, id: i64, closed: bool) {
        match &mut self.topics {
            Some(topics) if closed => {
                topics.iter_mut().filter(|topic| topic.id == id).for_each(|topic| topic.closed = true)
            }
            Some(topics) => topics.retain(|topic| topic.id != id),
            None => {
                self.ended.retain(|topic| topic.id != id);
                self.ended.push(Topic { id, closed });
            }
        }
    }
}
