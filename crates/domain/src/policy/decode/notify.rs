//! `notify`: who is told, of what, by what medium. A value that could be a secret is never repeated in a message.

use std::ops::Range;

use super::fields::{Entry, Fields};
use super::{Decoder, shape, suggest, topics};
use crate::announcement::Moment;
use crate::policy::yaml::Value;
use crate::policy::{Email, Login, MailTls, Notify, Receiver, Template, Variable, Webhook};

/// The most receivers of one policy: all of them are told at once.
const MOST: usize = 50;

const KINDS: &str =
    "write one of `slack`, `teams`, `discord`, `webhook` and `email`, such as `slack: SLACK_URL`";

const TLS: [(&str, MailTls); 3] =
    [("starttls", MailTls::StartTls), ("tls", MailTls::Tls), ("none", MailTls::None)];

/// The environments that receivers name, with the place of each.
pub(super) type Named = Vec<(String, Range<usize>)>;

impl Decoder {
    /// The receivers, in the order of the file.
    pub(super) fn notify(&mut self, entry: &Entry<'_>, named: &mut Named) -> Option<Vec<Notify>> {
        let items = self.items(entry);
        if let Some(item) = items.get(MOST) {
            let message = format!("{} receivers are too many", items.len());
            self.report(&topics::VALUE, &item.key, message, format!("a policy has at most {MOST}"));
            return None;
        }
        // All first, so that every mistake in the list is told.
        let all: Vec<_> = items.iter().map(|item| self.notification(item, named)).collect();
        all.into_iter().collect()
    }

    /// Whether the environments that receivers name are there.
    pub(super) fn check_notify(&mut self, named: &Named, known: &[&str]) {
        for (name, place) in named.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            let message = format!("`environments` names `{name}`, and no environment is called that");
            self.report(&topics::NOTIFY, place, message, suggest(name, known));
        }
    }

    fn notification(&mut self, entry: &Entry<'_>, named: &mut Named) -> Option<Notify> {
        let before = self.mistakes.len();
        let read = self.heard_by(entry, named);
        // A URL or a password may stand there, on one line with the rest.
        if read.as_ref().is_none_or(|(receiver, _)| receiver.is_none()) {
            self.hide_from(before);
        }
        let (receiver, rest) = read?;
        let (on, environments, template) = rest?;
        Some(Notify { receiver: receiver?, on, environments, template })
    }

    #[expect(clippy::type_complexity, reason = "two halves of one item, each of which may be wrong")]
    fn heard_by(
        &mut self,
        entry: &Entry<'_>,
        named: &mut Named,
    ) -> Option<(Option<Receiver>, Option<(Vec<Moment>, Vec<String>, Option<Template>)>)> {
        let fields = self.fields(entry, &shape::NOTIFICATION)?;
        let receiver = self.receiver(&fields);
        let on = match fields.get("on") {
            Some(entry) => self.moments(&entry),
            None => Some(Moment::ALL.into_iter().filter(|moment| *moment != Moment::Started).collect()),
        };
        let environments = match fields.get("environments") {
            Some(entry) => self.heard(&entry, named),
            None => Some(Vec::new()),
        };
        let template = fields.get("template").map(|entry| self.template(&entry));
        let template = template.map_or(Some(None), |template| template.map(Some));
        let rest = on.zip(environments).zip(template);
        Some((receiver, rest.map(|((on, environments), template)| (on, environments, template))))
    }

    fn receiver(&mut self, fields: &Fields<'_>) -> Option<Receiver> {
        let kinds = ["slack", "teams", "discord", "webhook", "email"];
        let mut given = kinds.into_iter().filter_map(|kind| fields.get(kind));
        let Some(first) = given.next() else {
            self.report(&topics::NOTIFY, &fields.place, "a notification has no receiver", KINDS);
            return None;
        };
        if let Some(second) = given.next() {
            let message = format!("a notification has two receivers, `{}` and `{}`", first.name, second.name);
            self.report(&topics::NOTIFY, &second.key, message, "make each an item of its own");
            return None;
        }
        match first.name.as_str() {
            "slack" => self.variable(&first, "SLACK_URL").map(Receiver::Slack),
            "teams" => self.variable(&first, "TEAMS_URL").map(Receiver::Teams),
            "discord" => self.variable(&first, "DISCORD_URL").map(Receiver::Discord),
            "webhook" => self.webhook(&first).map(Receiver::Webhook),
            _ => self.email(&first).map(|email| Receiver::Email(Box::new(email))),
        }
    }

    fn webhook(&mut self, entry: &Entry<'_>) -> Option<Webhook> {
        if entry.scalar().is_some() {
            let message = "a webhook needs a URL and the key that signs what is sent";
            let hint = "write the names of two variables: `webhook: { url: HOOK_URL, secret: HOOK_SECRET }`";
            self.report(&topics::NOTIFY, entry.place(), message, hint);
            return None;
        }
        let fields = self.fields(entry, &shape::WEBHOOK)?;
        let url = self.required(&fields, "url", "url: HOOK_URL");
        let url = url.and_then(|entry| self.variable(&entry, "HOOK_URL"));
        let secret = self.required(&fields, "secret", "secret: HOOK_SECRET");
        let secret = secret.and_then(|entry| self.variable(&entry, "HOOK_SECRET"));
        Some(Webhook { url: url?, secret: secret? })
    }

    fn email(&mut self, entry: &Entry<'_>) -> Option<Email> {
        let fields = self.fields(entry, &shape::EMAIL)?;
        let smtp = self.required(&fields, "smtp", "smtp: mail.example.org:587");
        let smtp = smtp.and_then(|entry| self.server(&entry));
        let tls = fields.get("tls").map(|entry| self.choice(&entry, &TLS).map(|tls| (tls, entry)));
        let from = self.required(&fields, "from", "from: windlass@example.org");
        let from = from.and_then(|entry| self.mailbox(&entry));
        let to = self.required(&fields, "to", "to: [ops@example.org]").and_then(|entry| {
            let items = self.items(&entry);
            if items.is_empty() {
                self.report(&topics::NOTIFY, &entry.key, "a mail to nobody is not sent", "name an address");
            }
            let to: Vec<_> = items.iter().map(|item| self.mailbox(item)).collect();
            to.into_iter().collect::<Option<Vec<_>>>().filter(|to| !to.is_empty())
        });
        let login = self.login(&fields);
        if let (Some(Some((MailTls::None, entry))), Some(Some(_))) = (&tls, &login) {
            let hint = "write `tls: starttls` or `tls: tls`, or leave `user` and `password` out";
            self.report(&topics::NOTIFY, entry.place(), "a password would be sent unencrypted", hint);
            return None;
        }
        let (host, port) = smtp?;
        let usual = if port == 465 { MailTls::Tls } else { MailTls::StartTls };
        let tls = tls.map_or(Some(usual), |tls| tls.map(|(tls, _)| tls));
        Some(Email { host, port, tls: tls?, from: from?, to: to?, login: login? })
    }

    /// User and password, or neither.
    fn login(&mut self, fields: &Fields<'_>) -> Option<Option<Login>> {
        match (fields.get("user"), fields.get("password")) {
            (None, None) => Some(None),
            (Some(user), Some(password)) => {
                let user = self.variable(&user, "SMTP_USER");
                let password = self.variable(&password, "SMTP_PASSWORD");
                Some(Some(Login { user: user?, password: password? }))
            }
            (Some(one), None) | (None, Some(one)) => {
                let other = if one.name == "user" { "password" } else { "user" };
                let message = format!("`{}` stands without `{other}`", one.name);
                self.report(&topics::NOTIFY, &one.key, message, format!("add `{other}:` and a variable"));
                None
            }
        }
    }

    /// The name of a variable. What stands there instead may be a secret, and is not shown.
    fn variable(&mut self, entry: &Entry<'_>, example: &str) -> Option<Variable> {
        let Some(text) = entry.scalar() else {
            let message = format!("`{}` needs the name of a variable", entry.name);
            self.report(&topics::NOTIFY, entry.place(), message, format!("write for example `{example}`"));
            return None;
        };
        if is_variable(text) {
            return Some(Variable(text.to_owned()));
        }
        let bare = text.trim_matches(|c: char| "${} ".contains(c));
        let bare = bare.strip_prefix("secrets.").or_else(|| bare.strip_prefix("env.")).unwrap_or(bare);
        let (message, hint) = if text.contains("://") {
            let message = format!("`{}` is a URL, and whoever has it can post", entry.name);
            (message, format!("keep it out of the file: put it into a variable and name that, `{example}`"))
        } else if text.starts_with('$') && is_variable(bare) {
            let message = format!("`{}` needs the name of a variable alone", entry.name);
            (message, format!("did you mean `{bare}`?"))
        } else if is_variable(&text.to_ascii_uppercase()) {
            let message = format!("`{}` needs the name of a variable in capitals", entry.name);
            (message, "name a variable that holds the value; never write the value itself".to_owned())
        } else {
            let message = format!("`{}` is not the name of a variable", entry.name);
            (message, format!("capitals, digits and `_`, such as `{example}`; never the value itself"))
        };
        self.report(&topics::NOTIFY, entry.place(), message, hint);
        None
    }

    /// `mail.example.org:587`, `127.0.0.1:25` or `[::1]:25`.
    fn server(&mut self, entry: &Entry<'_>) -> Option<(String, u16)> {
        const HINT: &str = "write a host and a port, such as `mail.example.org:587`";
        let text = self.text(entry, HINT)?;
        let parts = text.rsplit_once(':').and_then(|(host, port)| {
            let port = port.parse().ok().filter(|port| *port > 0)?;
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let good = match bare {
                Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
                None => is_host(host),
            };
            good.then(|| (bare.unwrap_or(host).to_owned(), port))
        });
        if parts.is_none() {
            let message = format!("`{}` is not a mail server: {}", entry.name, entry.described());
            self.report(&topics::NOTIFY, entry.place(), message, HINT);
        }
        parts
    }

    /// An address alone. What could begin another header, or another address, is not part of one.
    fn mailbox(&mut self, entry: &Entry<'_>) -> Option<String> {
        const HINT: &str = "write the address alone: `ops@example.org`";
        let text = self.text(entry, HINT)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
        let good = text.len() <= 254
            && text.rsplit_once('@').is_some_and(|(local, host)| {
                (1..=64).contains(&local.len())
                    && local.bytes().all(fits)
                    && local.split('.').all(|part| !part.is_empty())
                    && is_host(host)
            });
        if !good {
            let message = format!("`{}` needs an e-mail address, not {}", entry.name, entry.described());
            self.report(&topics::NOTIFY, entry.place(), message, HINT);
        }
        good.then_some(text)
    }

    fn moments(&mut self, entry: &Entry<'_>) -> Option<Vec<Moment>> {
        let items = self.items(entry);
        if items.is_empty() {
            let hint = "name moments, or remove `on`";
            self.report(&topics::NOTIFY, &entry.key, "a receiver that hears nothing is told nothing", hint);
            return None;
        }
        let words = Moment::ALL.map(|moment| (moment.word(), moment));
        let moments: Vec<_> = items.iter().map(|item| self.choice(item, &words)).collect();
        let mut on: Vec<Moment> = Vec::new();
        for moment in moments.into_iter().collect::<Option<Vec<_>>>()? {
            if !on.contains(&moment) {
                on.push(moment);
            }
        }
        Some(on)
    }

    fn heard(&mut self, entry: &Entry<'_>, named: &mut Named) -> Option<Vec<String>> {
        let items = self.items(entry);
        if items.is_empty() {
            let hint = "name environments, or remove `environments`: then it is told of all";
            self.report(&topics::NOTIFY, &entry.key, "a receiver that hears of no environment", hint);
            return None;
        }
        let mut environments = Vec::new();
        let mut whole = true;
        for item in &items {
            match self.text(item, "name an environment of this file") {
                Some(name) => {
                    named.push((name.clone(), item.place().clone()));
                    environments.push(name);
                }
                None => whole = false,
            }
        }
        whole.then_some(environments)
    }

    /// The source, or the file that has it.
    fn template(&mut self, entry: &Entry<'_>) -> Option<Template> {
        let Value::Mapping(_) = &entry.node.value else {
            const HINT: &str =
                "write a text in quotes, \"{{ app }}: {{ what }}\", or `{ file: deploy/notify.txt }`";
            return self.text(entry, HINT).map(Template::Source);
        };
        let fields = self.fields(entry, &shape::TEMPLATE)?;
        let file = self.required(&fields, "file", "file: deploy/notify.txt");
        file.and_then(|entry| self.text(&entry, "name the file of the template")).map(Template::File)
    }
}

fn is_variable(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().all(fits)
        && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// A name of the domain name system, or an IPv4 address.
fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=253).contains(&text.len())
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len()) && label.bytes().all(fits) && !label.starts_with('-')
        })
}
