//! How long both sides keep an idle connection, as a picture: two bars on a logarithmic scale, and where nginx's is the
//! longer one, the stretch in which a request meets the backend's close.

use super::markup::Markup;
use crate::sink::upstream::Upstream;

/// Where the scale begins and ends, milliseconds. The marks of the scale are in the style sheet.
const FROM_MS: f64 = 100.0;
const TO_MS: f64 = 3_600_000.0;

pub(super) fn picture(page: &mut Markup, timeouts: &Upstream) {
    let backend = position(timeouts.learned_timeout.value_ms);
    // Without a timeout, nginx never closes.
    let nginx = timeouts.nginx_timeout.as_ref().map(|nginx| nginx.value_ms.map_or(100.0, position));
    page.raw(
        "<svg class=\"timeouts\" role=\"img\" aria-label=\"Idle timeouts compared\" preserveAspectRatio=\"none\" ",
    );
    page.raw("viewBox=\"0 0 100 24\">");
    if let Some(nginx) = nginx.filter(|_| timeouts.mismatch == Some(true)) {
        rect(page, "danger", backend, 0.0, nginx - backend, 24.0);
    }
    rect(page, "backend", 0.0, 3.0, backend, 7.0);
    if let Some(nginx) = nginx {
        rect(page, "nginx", 0.0, 14.0, nginx, 7.0);
    }
    page.raw("</svg>");
}

fn rect(page: &mut Markup, class: &'static str, x: f64, y: f64, width: f64, height: f64) {
    page.raw("<rect class=\"").raw(class);
    for (name, value) in [("\" x=\"", x), ("\" y=\"", y), ("\" width=\"", width.max(0.0)), ("\" height=\"", height)] {
        page.raw(name).text(format_args!("{value:.2}"));
    }
    page.raw("\"/>");
}

/// Per cent of the scale.
fn position(ms: f64) -> f64 {
    super::scale::position(ms, FROM_MS, TO_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_within_the_picture_and_where_the_style_sheet_marks_them() {
        let positions = [0.0, 100.0, 3_600_000.0, 1e12].map(position);
        assert_eq!(positions, [0.0, 0.0, 100.0, 100.0]);
        assert_eq!(position(-1.0), 0.0);
        let style = super::super::STYLE;
        for (class, ms) in [("s1", 1e3), ("s10", 1e4), ("m1", 6e4), ("m10", 6e5), ("h1", 3.6e6)] {
            let rule = format!(".scale .{class} {{ left: {:.1}%; }}", position(ms));
            assert!(style.contains(&rule), "{rule}");
        }
    }
}
