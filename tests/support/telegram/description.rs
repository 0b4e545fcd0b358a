//! The Bot API as the table `bot_api.json` describes it; `toolchain/bot-api.py` makes that and explains its words.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

/// All methods, objects and unions.
#[derive(Debug)]
pub(crate) struct Description {
    methods: BTreeMap<String, Method>,
    objects: BTreeMap<String, Vec<Field>>,
    unions: BTreeMap<String, Vec<Kind>>,
}

/// A method of the API.
#[derive(Debug)]
pub(crate) struct Method {
    /// As the API writes it.
    pub(crate) name: String,
    /// Any of these.
    pub(crate) returns: Vec<Kind>,
    /// What it takes.
    pub(crate) fields: Vec<Field>,
}

/// A field of a method or of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Whether it must be there.
    pub(crate) needed: bool,
    /// Any of these.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) limit: Option<Limit>,
}

/// How long a text, or how great a number may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) low: i64,
    pub(crate) high: i64,
    pub(crate) unit: Unit,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// UTF-16 units, markup and all.
    Characters,
    /// UTF-16 units of what is left without the markup.
    Parsed,
    /// Bytes of UTF-8.
    Bytes,
    /// The number itself.
    Number,
}

/// A type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Float,
    Boolean,
    True,
    Text,
    /// A file of the same request.
    File,
    /// This text.
    Word(String),
    Array(Box<Kind>),
    /// An object or a union of this name.
    Named(String),
}

impl Description {
    /// The table, read once.
    pub(crate) fn get() -> &'static Self {
        static READ: OnceLock<Description> = OnceLock::new();
        READ.get_or_init(|| Self::read(include_str!("bot_api.json")))
    }

    fn read(table: &str) -> Self {
        let table: Value = serde_json::from_str(table).unwrap();
        let entries = |part: &str| table[part].as_object().unwrap().clone();
        let method = |(name, entry): (String, Value)| {
            let returns = kinds(entry["returns"].as_str().unwrap());
            let fields = fields(entry["fields"].as_object().unwrap());
            (name.to_ascii_lowercase(), Method { name, returns, fields })
        };
        let objects = entries("objects").into_iter();
        let unions = entries("unions").into_iter();
        Self {
            methods: entries("methods").into_iter().map(method).collect(),
            objects: objects.map(|(name, entry)| (name, fields(entry.as_object().unwrap()))).collect(),
            unions: unions.map(|(name, entry)| (name, kinds(entry.as_str().unwrap()))).collect(),
        }
    }

    /// A method; its name is not case-sensitive.
    pub(crate) fn method(&self, name: &str) -> Option<&Method> {
        self.methods.get(&name.to_ascii_lowercase())
    }

    pub(crate) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.methods.values()
    }

    pub(crate) fn object(&self, name: &str) -> Option<&[Field]> {
        self.objects.get(name).map(Vec::as_slice)
    }

    pub(crate) fn union(&self, name: &str) -> Option<&[Kind]> {
        self.unions.get(name).map(Vec::as_slice)
    }

    /// Every type that something refers to and nothing describes.
    pub(crate) fn missing(&self) -> Vec<String> {
        let of_methods =
            self.methods.values().flat_map(|method| method.returns.iter().chain(of(&method.fields)));
        let of_objects = self.objects.values().flat_map(|fields| of(fields));
        let all = of_methods.chain(of_objects).chain(self.unions.values().flatten());
        let mut missing: Vec<String> = all
            .filter_map(Kind::name)
            .filter(|name| self.object(name).is_none() && self.union(name).is_none())
            .map(str::to_owned)
            .collect();
        missing.sort();
        missing.dedup();
        missing
    }

    /// Every object and union that nothing refers to.
    pub(crate) fn unused(&self) -> Vec<&str> {
        let of_methods =
            self.methods.values().flat_map(|method| method.returns.iter().chain(of(&method.fields)));
        let of_objects = self.objects.values().flat_map(|fields| of(fields));
        let all = of_methods.chain(of_objects).chain(self.unions.values().flatten());
        let used: std::collections::BTreeSet<&str> = all.filter_map(Kind::name).collect();
        let names = self.objects.keys().chain(self.unions.keys());
        names.map(String::as_str).filter(|name| !used.contains(name)).collect()
    }
}

fn of(fields: &[Field]) -> impl Iterator<Item = &Kind> {
    fields.iter().flat_map(|field| &field.kinds)
}

impl Kind {
    /// The name of the object or union, through arrays.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::Array(inner) => inner.name(),
            _ => None,
        }
    }

    fn read(text: &str) -> Self {
        if let Some(inner) = text.strip_suffix("[]") {
            return Self::Array(Box::new(Self::read(inner)));
        }
        if let Some(word) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return Self::Word(word.to_owned());
        }
        match text {
            "Integer" => Self::Integer,
            "Float" => Self::Float,
            "Boolean" => Self::Boolean,
            "True" => Self::True,
            "String" => Self::Text,
            "InputFile" => Self::File,
            name => Self::Named(name.to_owned()),
        }
    }
}

fn kinds(text: &str) -> Vec<Kind> {
    text.split('|').map(Kind::read).collect()
}

fn fields(entries: &Map<String, Value>) -> Vec<Field> {
    let field = |(name, kind): (&String, &Value)| {
        let kind = kind.as_str().unwrap();
        let (kind, limit) = kind.split_once(' ').map_or((kind, None), |(kind, limit)| (kind, Some(limit)));
        Field {
            name: name.trim_end_matches('?').to_owned(),
            needed: !name.ends_with('?'),
            kinds: kinds(kind),
            limit: limit.map(Limit::read),
        }
    };
    entries.iter().map(field).collect()
}

impl Limit {
    /// Reads `1-64 bytes`.
    fn read(text: &str) -> Self {
        let (range, unit) = text.split_once(' ').unwrap_or((text, ""));
        let (low, high) = range.split_once('-').unwrap();
        let unit = match unit {
            "characters" => Unit::Characters,
            "parsed characters" => Unit::Parsed,
            "bytes" => Unit::Bytes,
            "" => Unit::Number,
            other => panic!("the table counts {other}"),
        };
        Self { low: low.parse().unwrap(), high: high.parse().unwrap(), unit }
    }
}
