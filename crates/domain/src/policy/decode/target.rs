//! `target`: where an environment runs, by kind.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::fields::{Entry, Fields};
use super::scalar::Zero;
use super::{Decoder, shape, topics};
use crate::policy::yaml::Value;
use crate::policy::{ExecTarget, HostTarget, KubernetesTarget, Logs, Ready, Span, Target, TargetKind};

const KINDS: [(&str, TargetKind); 3] =
    [("host", TargetKind::Host), ("kubernetes", TargetKind::Kubernetes), ("exec", TargetKind::Exec)];

impl Decoder {
    /// The target, by its `kind`.
    pub(super) fn target(&mut self, entry: &Entry<'_>) -> Option<Target> {
        let Value::Mapping(entries) = &entry.node.value else {
            self.wrong_type(entry, "a map with a `kind`", "kinds: host, kubernetes, exec");
            return None;
        };
        let kind =
            entries.iter().find(|(key, _)| matches!(&key.value, Value::Scalar(text) if text == "kind"));
        let Some((key, value)) = kind else {
            let hint = "add `kind: host`, `kind: kubernetes` or `kind: exec`";
            self.report(&topics::MISSING_KEY, &entry.key, "`target` has no `kind`", hint);
            return None;
        };
        let kind = Entry { name: "kind".into(), key: key.span.clone(), node: value };
        match self.choice(&kind, &KINDS)? {
            TargetKind::Host => self.host(entry).map(Target::Host),
            TargetKind::Kubernetes => self.kubernetes(entry).map(Target::Kubernetes),
            TargetKind::Exec => self.exec(entry).map(Target::Exec),
        }
    }

    fn host(&mut self, entry: &Entry<'_>) -> Option<HostTarget> {
        let fields = self.fields(entry, &shape::HOST)?;
        let hosts = fields.get("hosts").map_or_else(|| Some(Vec::new()), |entry| self.hosts(&entry));
        let listen = self.required(&fields, "listen", "listen: 127.0.0.1:8080");
        let listen = listen.and_then(|entry| self.address(&entry));
        let metrics = fields.get("metrics").map(|entry| self.address(&entry));
        let root = fields.get("root").map(|entry| self.text(&entry, "name a folder"));
        let run = self.required(&fields, "run", "run: [bin/shop, --port, \"{port}\"]");
        let run = run.and_then(|entry| self.command(&entry));
        let instances = fields.get("instances").map_or(Some(1), |entry| self.count(&entry, 1, 1000));
        let ready = self.ready(&fields);
        let env = fields.get("env").map_or_else(|| Some(BTreeMap::new()), |entry| self.env(&entry));
        let drain = self.span_or(fields.get("drain"), Zero::Allowed, Span::seconds(30));
        let stop = self.span_or(fields.get("stop"), Zero::Allowed, Span::seconds(10));
        let secrets =
            fields.get("secrets").map_or_else(|| Some(BTreeMap::new()), |entry| self.secrets(&entry));
        let memory = fields.get("memory").map(|entry| self.size(&entry));
        let cpu = fields.get("cpu").map(|entry| self.cores(&entry));
        let logs = self.logs(&fields);
        if let (Some(env), Some(secrets)) = (&env, &secrets)
            && let Some(both) = secrets.keys().find(|name| env.contains_key(*name))
            && let Some(entry) = fields.get("secrets")
        {
            let message = format!("`{both}` stands under `env` and under `secrets`");
            self.report(&topics::TARGET, &entry.key, message, "keep one of the two");
        }
        let (tls, limits) = (self.tls(&fields), self.limits(&fields));
        let access_log = fields.get("access_log").map_or(Some(false), |entry| self.boolean(&entry));
        let (sticky, testers) = (self.sticky(&fields), self.testers(&fields));
        Some(HostTarget {
            hosts: hosts?,
            listen: listen?,
            metrics: metrics.map_or(Some(None), |metrics| metrics.map(Some))?,
            root: root.map_or(Some(None), |root| root.map(Some))?,
            run: run?,
            instances: instances?,
            ready: ready?,
            env: env?,
            secrets: secrets?,
            memory: memory.map_or(Some(None), |memory| memory.map(Some))?,
            cpu: cpu.map_or(Some(None), |cpu| cpu.map(Some))?,
            logs: logs?,
            drain: drain?,
            stop: stop?,
            tls: tls?,
            limits: limits?,
            access_log: access_log?,
            sticky: sticky?,
            testers: testers?,
        })
    }

    /// Destinations of `ssh`, each once. A leading dash would be read as an option.
    fn hosts(&mut self, entry: &Entry<'_>) -> Option<Vec<String>> {
        const HINT: &str = "write destinations as ssh knows them: `[web1, deploy@web2.example.org]`";
        let items = self.items(entry);
        let mut hosts: Vec<String> = Vec::new();
        let mut whole = true;
        for item in &items {
            let Some(host) = self.text(item, HINT) else {
                whole = false;
                continue;
            };
            let good = !host.starts_with('-')
                && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"'\"\\$`;&|<>()".contains(&byte));
            if !good {
                let message = format!("{} cannot be a host", item.described());
                self.report(&topics::TARGET, item.place(), message, HINT);
                whole = false;
            } else if hosts.contains(&host) {
                self.report(&topics::TARGET, item.place(), format!("`{host}` is listed twice"), "keep one");
                whole = false;
            }
            hosts.push(host);
        }
        if whole && hosts.is_empty() {
            self.report(
                &topics::TARGET,
                &entry.key,
                "`hosts` is an empty list",
                "leave it out for this machine",
            );
            return None;
        }
        whole.then_some(hosts)
    }

    /// Variables and the files that hold their values.
    fn secrets(&mut self, entry: &Entry<'_>) -> Option<BTreeMap<String, String>> {
        let files = self.env(entry)?;
        let relative = files.iter().find(|(_, file)| !file.starts_with('/'));
        if let Some((name, _)) = relative {
            // The text itself may be a secret that somebody wrote here, so it is not shown.
            let message = format!("the secret `{name}` is not named by the full path of a file on the host");
            self.report(
                &topics::TARGET,
                &entry.key,
                message,
                "write `secrets: { DB_PASSWORD: /etc/shop/db }`",
            );
            return None;
        }
        Some(files)
    }

    /// How output is kept, with defaults for what is not said.
    fn logs(&mut self, fields: &Fields<'_>) -> Option<Logs> {
        let default = Logs::default();
        let Some(entry) = fields.get("logs") else { return Some(default) };
        let fields = self.fields(&entry, &shape::LOGS)?;
        let size = fields.get("size").map_or(Some(default.size), |entry| self.size(&entry));
        let age = self.span_or(fields.get("age"), Zero::Refused, default.age);
        let keep = fields.get("keep").map_or(Some(default.keep), |entry| self.count(&entry, 0, 1000));
        Some(Logs { size: size?, age: age?, keep: keep? })
    }

    /// `ready: /healthz` or the long form.
    fn ready(&mut self, fields: &Fields<'_>) -> Option<Ready> {
        let (within, every) = (Span::seconds(30), Span::millis(250));
        let Some(entry) = fields.get("ready") else { return Some(Ready { http: None, within, every }) };
        if entry.scalar().is_some() {
            return Some(Ready { http: Some(self.path(&entry)?), within, every });
        }
        let fields = self.fields(&entry, &shape::READY)?;
        let http = fields.get("http").map(|entry| self.path(&entry));
        let within = self.span_or(fields.get("within"), Zero::Refused, within);
        let every = self.span_or(fields.get("every"), Zero::Refused, every);
        Some(Ready { http: http.map_or(Some(None), |path| path.map(Some))?, within: within?, every: every? })
    }

    /// A path of the service: it begins with a slash.
    fn path(&mut self, entry: &Entry<'_>) -> Option<String> {
        let text = self.text(entry, "write a path such as `/healthz`")?;
        let good = text.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if !good {
            let message =
                format!("`{}` needs a path that begins with `/`, not {}", entry.name, entry.described());
            self.report(&topics::VALUE, entry.place(), message, "write a path such as `/healthz`");
        }
        good.then_some(text)
    }

    /// An IP address and a port.
    fn address(&mut self, entry: &Entry<'_>) -> Option<String> {
        let text = self.text(entry, "write an address such as `127.0.0.1:8080`")?;
        if text.parse::<SocketAddr>().is_ok() {
            return Some(text);
        }
        let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok());
        let hint = match port {
            Some(port) => format!("an IP address and a port; did you mean `127.0.0.1:{port}`?"),
            None => {
                "write an IP address and a port, such as `127.0.0.1:8080`; port 0 picks a free one".to_owned()
            }
        };
        let message = format!("`{}` is not an address: {}", entry.name, entry.described());
        self.report(&topics::TARGET, entry.place(), message, hint);
        None
    }

    /// A command as a list, or one word.
    pub(super) fn command(&mut self, entry: &Entry<'_>) -> Option<Vec<String>> {
        const HINT: &str = "write the program and its arguments as a list: `[bin/shop, --port, \"{port}\"]`";
        if let Some(text) = entry.scalar()
            && text.contains(char::is_whitespace)
        {
            let message = format!("`{}` is one text with blanks in it; no shell takes it apart", entry.name);
            self.report(&topics::TARGET, entry.place(), message, HINT);
            return None;
        }
        let items = match &entry.node.value {
            Value::Mapping(_) | Value::Null => {
                self.wrong_type(entry, "a command", HINT);
                return None;
            }
            Value::Scalar(_) | Value::Sequence(_) => self.items(entry),
        };
        let Some(program) = items.first() else {
            self.report(&topics::TARGET, &entry.key, format!("`{}` is an empty command", entry.name), HINT);
            return None;
        };
        let program = self.text(program, HINT);
        let mut whole = program.is_some();
        let mut command: Vec<String> = program.into_iter().collect();
        for item in &items[1..] {
            match item.scalar() {
                Some(argument) => command.push(argument.to_owned()),
                None => {
                    self.wrong_type(item, "texts", HINT);
                    whole = false;
                }
            }
        }
        whole.then_some(command)
    }

    /// Environment variables.
    pub(super) fn env(&mut self, entry: &Entry<'_>) -> Option<BTreeMap<String, String>> {
        let named = self.named(entry, "env: { LOG: info }")?;
        let mut env = BTreeMap::new();
        let mut whole = true;
        for entry in named {
            let good = !entry.name.is_empty()
                && !entry.name.starts_with(|c: char| c.is_ascii_digit())
                && entry.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !good {
                let message = format!("`{}` cannot be an environment variable", entry.name);
                self.report(&topics::NAME, &entry.key, message, "letters, digits and `_`, not a digit first");
            }
            let value = entry.scalar();
            if value.is_none() {
                self.wrong_type(&entry, "a text", "quote an empty value: \"\"");
            }
            match value {
                Some(value) if good => _ = env.insert(entry.name, value.to_owned()),
                Some(_) | None => whole = false,
            }
        }
        whole.then_some(env)
    }

    fn kubernetes(&mut self, entry: &Entry<'_>) -> Option<KubernetesTarget> {
        let fields = self.fields(entry, &shape::KUBERNETES)?;
        let namespace =
            self.required(&fields, "namespace", "namespace: shop").and_then(|entry| self.name(&entry));
        let manifests = self.required(&fields, "manifests", "manifests: deploy/k8s/");
        let manifests = manifests.and_then(|entry| self.text(&entry, "name the folder of manifests"));
        let context =
            fields.get("context").map(|entry| self.text(&entry, "name a context of the kubeconfig"));
        Some(KubernetesTarget {
            namespace: namespace?,
            manifests: manifests?,
            context: context.map_or(Some(None), |context| context.map(Some))?,
        })
    }

    fn exec(&mut self, entry: &Entry<'_>) -> Option<ExecTarget> {
        let fields = self.fields(entry, &shape::EXEC)?;
        let command = self.required(&fields, "command", "command: [deploy/driver]");
        let command = command.and_then(|entry| self.command(&entry));
        let weights = fields.get("weights").map_or(Some(false), |entry| self.boolean(&entry));
        Some(ExecTarget { command: command?, weights: weights? })
    }
}
