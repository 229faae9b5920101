//! Where an instant stands in the picture: in percent of its width, so that the picture fits a phone and
//! a sheet of paper alike while its marks keep their shape.

use maud::{Markup, html};

/// The steps between two labels of the axis, in seconds.
const STEPS: [f64; 14] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
];

/// More labels would touch each other on a phone.
const LABELS: f64 = 7.0;

/// From when to when, in seconds since the broker was lost, or since the observer began where it never was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) from: f64,
    pub(super) to: f64,
    /// The broker was seen to go.
    pub(super) lost: bool,
    /// When the broker was back.
    pub(super) up: Option<f64>,
}

impl Scale {
    /// Percent of the width, as a number for an attribute.
    pub(super) fn x(&self, at: f64) -> f64 {
        let part = (at - self.from) / (self.to - self.from).max(0.001);
        (part.clamp(0.0, 1.0) * 10000.0).round() / 100.0
    }

    /// The part of a stretch that can be seen: its begin and its width. None: nothing of it.
    pub(super) fn span(&self, from: f64, to: f64) -> Option<(f64, f64)> {
        if to < self.from || from > self.to || to < from {
            return None;
        }
        let x = self.x(from);
        Some((x, ((self.x(to) - x) * 100.0).round() / 100.0))
    }

    fn ticks(&self) -> Vec<f64> {
        let span = self.to - self.from;
        let step = STEPS.into_iter().find(|step| span / step <= LABELS);
        let step = step.unwrap_or(span / LABELS).max(0.1);
        let first = (self.from / step).ceil();
        let tick = |n: f64| (first + n) * step;
        (0..32_u8)
            .map(|n| tick(f64::from(n)))
            .take_while(|at| *at <= self.to)
            .collect()
    }

    /// The outage and the lines of the axis, behind every lane.
    pub(super) fn ground(&self) -> Markup {
        let away = self.span(0.0, self.up.unwrap_or(self.to));
        html! {
            @if let Some((x, width)) = away.filter(|_| self.lost) {
                rect .o x={ (x) "%" } width={ (width) "%" } height="100%" {}
            }
            @for x in self.ticks().into_iter().map(|at| self.x(at)) {
                line .g x1={ (x) "%" } x2={ (x) "%" } y2="100%" {}
            }
        }
    }

    /// The axis' labels.
    pub(super) fn axis(&self) -> Markup {
        let anchor = |x: f64| match x {
            x if x < 3.0 => "start",
            x if x > 97.0 => "end",
            _ => "middle",
        };
        html! {
            @for (at, x) in self.ticks().into_iter().map(|at| (at, self.x(at))) {
                text x={ (x) "%" } y="15" text-anchor=(anchor(x)) { (clock(at)) }
            }
        }
    }
}

/// Seconds, or minutes where seconds would be hard to read.
fn clock(at: f64) -> String {
    if at.abs() < 180.0 || at % 60.0 != 0.0 {
        format!("{at} s")
    } else {
        format!("{} min", at / 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale {
        from: -10.0,
        to: 90.0,
        lost: true,
        up: Some(40.0),
    };

    #[test]
    fn what_cannot_be_seen_has_no_place() {
        assert_eq!(SCALE.span(-20.0, 10.0), Some((0.0, 20.0)));
        assert_eq!(SCALE.span(91.0, 95.0), None);
        assert!((SCALE.x(f64::MAX) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn an_outage_that_was_not_seen_is_not_drawn() {
        let never = Scale {
            lost: false,
            up: None,
            ..SCALE
        };
        let drawn = |scale: Scale| scale.ground().into_string().contains("class=\"o\"");
        assert!(drawn(SCALE) && !drawn(never));
    }

    #[test]
    fn the_axis_has_few_round_labels() {
        assert_eq!(SCALE.ticks(), [0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0]);
        let day = Scale {
            to: 86_400.0,
            ..SCALE
        };
        assert!(day.ticks().len() < 9, "{:?}", day.ticks());
        assert_eq!(clock(240.0), "4 min");
    }
}
