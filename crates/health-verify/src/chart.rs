//! The chart: both evidence curves of every metric against their thresholds, in one page that needs nothing else.

use std::fmt::Write as _;

use windlass_ci::sink;
use windlass_domain::verdict::MetricVerdict;
use windlass_signal::judge::{Judgement, Tick};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 28.0;
/// The exponents of ten that the scale shows, at least and at most.
const LOWEST: f64 = -3.0;
const HIGHEST: f64 = 9.0;
/// The most points of one curve; more are thinned out, the last one kept.
const MOST_POINTS: usize = 600;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}svg{width:100%;height:auto}text{font-size:11px;fill:#555}.fail{stroke:#c22}.pass{stroke:#187a3c}\
.curve{fill:none;stroke-width:2}.line{stroke-dasharray:5 4;stroke-width:1}.grid{stroke:#ddd}td,th{text-align:left;padding:.1rem .8rem .1rem 0}\
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}text{fill:#aaa}.grid{stroke:#333}}";

/// The whole page.
pub(crate) fn page(judgement: &Judgement, ticks: &[Tick]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\"><title>Health: {verdict}</title><style>{STYLE}</style></head><body>\n\
         <h1>Health: {verdict}</h1>\n<p>Watched for {} ms.</p>\n",
        judgement.elapsed_ms,
        verdict = judgement.verdict,
    );
    for reason in &judgement.reasons {
        let parts = [&reason.what, &reason.observed, &reason.required, &reason.why, &reason.next];
        let parts: Vec<String> =
            parts.iter().filter(|part| !part.is_empty()).map(|part| escape(part)).collect();
        add(&mut page, format_args!("<p>{}</p>\n", parts.join(" · ")));
    }
    if judgement.metrics.is_empty() {
        page.push_str("<p>No metric was judged: probes and hard gates alone decided.</p>\n");
    }
    for metric in &judgement.metrics {
        section(&mut page, metric, ticks);
    }
    page.push_str("</body></html>\n");
    page
}

fn section(page: &mut String, metric: &MetricVerdict, ticks: &[Tick]) {
    let old =
        metric.arm_old.map_or_else(String::new, |old| format!("; old: {} of {} bad", old.bad, old.requests));
    add(
        page,
        format_args!(
            "<h2>{}</h2>\n<p>new: {} of {} bad{old}; φ {:.2}</p>\n",
            escape(&metric.name),
            metric.arm_new.bad,
            metric.arm_new.requests,
            metric.phi
        ),
    );
    for note in &metric.notes {
        add(page, format_args!("<p>{}</p>\n", escape(note)));
    }
    if let Some(missing) = metric.no_data {
        add(page, format_args!("<p>No data: {}.</p>\n", missing.words()));
    }
    let last_ms = ticks.last().map_or(1, |tick| tick.elapsed_ms).max(1);
    let of = |value: fn(&MetricVerdict) -> f64| -> Vec<(u64, f64)> {
        ticks
            .iter()
            .filter_map(|tick| {
                Some((tick.elapsed_ms, value(tick.metrics.iter().find(|one| one.name == metric.name)?)))
            })
            .collect()
    };
    add(
        page,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"evidence over time\">\n"
        ),
    );
    grid(page, last_ms);
    threshold(page, "fail", metric.threshold_fail, "fails at");
    threshold(page, "pass", metric.threshold_pass, "passes at");
    curve(page, "fail", &of(|metric| metric.evidence_fail), last_ms);
    curve(page, "pass", &of(|metric| metric.evidence_pass), last_ms);
    page.push_str(
        "</svg>\n<p><span style=\"color:#c22\">■</span> evidence against it \
                   <span style=\"color:#187a3c\">■</span> evidence for it, logarithmic</p>\n",
    );
}

fn grid(page: &mut String, last_ms: u64) {
    let mut exponent = LOWEST;
    while exponent <= HIGHEST {
        let y = height(10_f64.powf(exponent));
        add(
            page,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"4\" y=\"{:.1}\">10^{exponent:.0}</text>\n",
                y + 4.0
            ),
        );
        exponent += 3.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a watch")]
    let seconds = last_ms as f64 / 1000.0;
    add(
        page,
        format_args!(
            "<text x=\"{LEFT}\" y=\"{y}\">0 s</text><text x=\"{WIDTH}\" y=\"{y}\" text-anchor=\"end\">{seconds:.1} s</text>\n",
            y = HEIGHT - 8.0
        ),
    );
}

fn threshold(page: &mut String, class: &str, at: f64, word: &str) {
    let y = height(at);
    add(
        page,
        format_args!(
            "<line class=\"line {class}\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{word} {at:.0}</text>\n",
            LEFT + 4.0,
            y - 3.0
        ),
    );
}

fn curve(page: &mut String, class: &str, points: &[(u64, f64)], last_ms: u64) {
    let every = points.len().div_ceil(MOST_POINTS).max(1);
    let mut text = String::new();
    for (index, (at_ms, value)) in points.iter().enumerate() {
        if index % every == 0 || index + 1 == points.len() {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a watch")]
            let x = LEFT + (WIDTH - LEFT) * *at_ms as f64 / last_ms as f64;
            add(&mut text, format_args!("{x:.1},{:.1} ", height(*value)));
        }
    }
    if !text.is_empty() {
        add(page, format_args!("<polyline class=\"curve {class}\" points=\"{}\"/>\n", text.trim_end()));
    }
}

/// The height of a value on the logarithmic scale; values beyond it lie on its edges.
fn height(value: f64) -> f64 {
    let exponent = if value > 0.0 { value.log10().clamp(LOWEST, HIGHEST) } else { LOWEST };
    let room = HEIGHT - BOTTOM - 8.0;
    8.0 + room * (HIGHEST - exponent) / (HIGHEST - LOWEST)
}

/// Text from outside for HTML, in content and in quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in sink::line(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            character => out.push(character),
        }
    }
    out
}

fn add(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "</p><script>alert('x')</script>\u{202e}\" onload=\"";
        let escaped = escape(hostile);
        assert!(!escaped.contains(['<', '>', '"', '\'', '\u{202e}']), "{escaped}");
    }

    #[test]
    fn scale_is_monotone_and_bounded() {
        let heights: Vec<f64> = [0.0, 1e-9, 0.1, 1.0, 20.0, 100.0, 1e300].map(height).to_vec();
        assert!(heights.windows(2).all(|pair| pair[0] >= pair[1]), "{heights:?}");
        assert!(heights.iter().all(|height| (8.0..=HEIGHT).contains(height)));
    }
}
