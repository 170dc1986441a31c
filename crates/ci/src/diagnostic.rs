//! Mistakes in a file, shown with their lines.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use windlass_domain::policy::Problem;

use crate::sink;

/// One excerpt a problem: message, file, line, column, the source line, and the hint. Without colours; whatever the
/// file holds is escaped.
#[must_use]
pub fn excerpts(path: &str, source: &str, problems: &[Problem]) -> Vec<String> {
    let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
    problems.iter().map(|problem| excerpt(&renderer, path, source, problem)).collect()
}

fn excerpt(renderer: &Renderer, path: &str, source: &str, problem: &Problem) -> String {
    let message = sink::line(&problem.message);
    let hint = problem.hint.as_deref().map(sink::line);
    let line = if problem.hidden { None } else { Line::around(source, &problem.span) };
    let title = Level::ERROR.primary_title(&message).id(problem.topic.key);
    let mut group = Group::with_title(title);
    if let Some(line) = &line {
        let annotation = AnnotationKind::Primary.span(line.span.clone());
        group = group.element(Snippet::source(&line.text).line_start(problem.line).annotation(annotation));
    }
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.message(hint));
    }
    let rendered = renderer.render(&[group]);
    let (title, rest) = rendered.split_once('\n').unwrap_or((&rendered, ""));
    // Written here, and not by the renderer: the line that is shown may be cropped and escaped, and its column would
    // then be another than the file's.
    let gutter = if line.is_some() { problem.line.to_string().len() } else { 0 };
    let place = format!("{:gutter$}--> {}:{}:{}", "", sink::line(path), problem.line, problem.column);
    if rest.is_empty() { format!("{title}\n{place}") } else { format!("{title}\n{place}\n{rest}") }
}

/// How many bytes of a line are shown before and after the mistake.
const MARGIN: usize = 80;

/// A line of the source as it is shown: escaped, and cropped around the mistake.
struct Line {
    text: String,
    span: Range<usize>,
}

impl Line {
    /// The line on which `span` begins; `None` where the source has nothing to show there.
    fn around(source: &str, span: &Range<usize>) -> Option<Self> {
        let (before, after) = (source.get(..span.start)?, source.get(span.start..)?);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = span.start + after.find('\n').unwrap_or(after.len());
        let line = source[start..end].trim_end_matches('\r');
        if line.trim().is_empty() {
            return None;
        }
        let from = floor(source, start.max(span.start.saturating_sub(MARGIN)));
        let stop = floor(source, (start + line.len()).max(from));
        let marked = floor(source, span.end.clamp(span.start, span.start + MARGIN)).min(stop);
        let to = floor(source, (marked + MARGIN).min(stop));
        let mut text = String::new();
        if from > start {
            text.push('…');
        }
        text.push_str(&sink::line(source[from..span.start.min(stop)].trim_start_matches('\u{feff}')));
        let first = text.len();
        text.push_str(&sink::line(&source[span.start.min(stop)..marked]));
        let last = text.len();
        text.push_str(&sink::line(&source[marked..to]));
        if to < stop {
            text.push('…');
        }
        Some(Self { text, span: first..last })
    }
}

/// The nearest character boundary at or before `offset`.
fn floor(source: &str, offset: usize) -> usize {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use windlass_domain::policy::Policy;

    use super::*;

    fn shown(source: &str) -> String {
        let problems = Policy::parse(source).expect_err("a mistake");
        excerpts("windlass.yml", source, &problems).join("\n\n")
    }

    #[test]
    fn a_mistake_is_shown_with_its_line_and_hint() {
        let source = "version: 1\napp: shop\nenviroments: {}\n";
        insta::assert_snapshot!(shown(source), @r"
        error[policy.missing-key]: `windlass.yml` has no `environments`
         --> windlass.yml:1:1
          |
        1 | version: 1
          | ^
          |
          = help: add for example `environments: { dev: { gates: none, target: … } }`

        error[policy.unknown-key]: unknown key `enviroments` in windlass.yml
         --> windlass.yml:3:1
          |
        3 | enviroments: {}
          | ^^^^^^^^^^^
          |
          = help: did you mean `environments`? allowed: `version`, `app`, `release`, `keys`, `environments`, `notify`
        ");
    }

    #[test]
    fn a_line_on_which_a_secret_may_stand_is_not_shown() {
        let source = "version: 1\napp: shop\nenvironments: { dev: { gates: none, evidence: unsigned, target: { kind: exec, \
                      command: a } } }\nnotify: [{ slack: 'https://hooks.example/hunter2', on: [life] }, { slack: URL, on: [lif] }]\n";
        let shown = excerpts("windlass.yml", source, &Policy::parse(source).expect_err("mistakes"));
        let [url, life, lif] = shown.as_slice() else { panic!("{shown:#?}") };
        assert!(url.contains("windlass.yml:4:") && !url.contains("hunter2"), "{url}");
        assert!(life.contains("`on` cannot be `life`") && !life.contains("hunter2"), "{life}");
        assert!(lif.contains("on: [lif]"), "the line of the other is shown: {lif}");
    }

    #[test]
    fn hostile_text_is_escaped() {
        let source = "version: 1\napp: shop\n\"\\e[2J::warning::\u{202e}\u{9b}0m\": x\n";
        let shown = shown(source);
        assert!(
            shown.chars().all(|c| c == '\n' || !c.is_control()) && !shown.contains('\u{202e}'),
            "{shown:?}"
        );
    }

    #[test]
    fn a_long_line_is_cropped_and_the_column_stays() {
        let filler = "x".repeat(5_000);
        let source =
            format!("{{version: 1, app: shop, release: {{artifact: {filler}}}, enviroments: {{}}}}\n");
        let shown = shown(&source);
        assert!(shown.contains("windlass.yml:1:5048"), "{shown}");
        assert!(shown.lines().all(|line| line.len() < 400), "{shown}");
    }

    #[test]
    fn any_span_of_any_source_is_shown() {
        let template = Policy::parse("").expect_err("empty").remove(0);
        for source in ["", "\n", "a", "\u{feff}ä: ö\r\n\tb", "ä\u{0}\u{7f}\n"] {
            for start in 0..source.len() + 2 {
                for end in 0..source.len() + 2 {
                    let span = start..end;
                    let problem = Problem { span, ..template.clone() };
                    assert!(excerpts("w", source, &[problem])[0].contains("error[policy.syntax]"));
                }
            }
        }
    }
}
