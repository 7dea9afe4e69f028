//! How a call would sound: the E-model of ITU-T G.107 (06/2015), with its default values, and the MOS of its rating.
//!
//! ```text
//! R = Ro − Is − Id − Ie-eff        Ro − Is: a call over nothing    Id: delay and its echoes    Ie-eff: codec and loss
//! ```
//!
//! The codec is G.711 with loss concealment (ITU-T G.113 Appendix I: Ie 0, Bpl 25.1), its losses random.

/// Signal to noise, and what comes with the signal, of a call with all default values.
const RO: f64 = 94.77;
const IS: f64 = 1.41;
/// Noise, dBm0p, and the receiver's loudness rating, dB (default values).
const NO: f64 = -61.18;
const RLR: f64 = 2.0;
/// Loss of the talker's echo, and weighted loss of the listener's, dB (default values).
const TELR: f64 = 65.0;
const WEPL: f64 = 110.0;
/// What the codec itself costs, and how well it stands losses, percent.
const IE: f64 = 0.0;
const BPL: f64 = 25.1;

/// Score of a call, 1 to 4.5, at a delay from mouth to ear and a share of packets lost.
pub fn mos(delay_ms: f64, loss: f64) -> f64 {
    score(rating(delay_ms, loss))
}

/// The transmission rating R.
fn rating(delay_ms: f64, loss: f64) -> f64 {
    let percent = loss.clamp(0.0, 1.0) * 100.0;
    let codec = IE + (95.0 - IE) * percent / (percent + BPL);
    RO - IS - talker_echo(delay_ms) - listener_echo(2.0 * delay_ms) - delay(delay_ms) - codec
}

/// Idte, clause 7.4 of the recommendation: the talker hears himself.
fn talker_echo(t: f64) -> f64 {
    let terv = TELR - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10() + 6.0 * (-0.3 * t * t).exp();
    let (roe, re) = (-1.5 * (NO - RLR), 80.0 + 2.5 * (terv - 14.0));
    let half = (roe - re) / 2.0;
    (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-t).exp())
}

/// Idle: the listener hears the talker twice; `t` is the round trip.
fn listener_echo(t: f64) -> f64 {
    let rle = 10.5 * (WEPL + 7.0) * (t + 1.0).powf(-0.25);
    let half = (RO - rle) / 2.0;
    half + (half * half + 169.0).sqrt()
}

/// Idd: too long to talk.
fn delay(ms: f64) -> f64 {
    if ms <= 100.0 {
        return 0.0;
    }
    let x = (ms / 100.0).log2();
    let sixth = |value: f64| value.powf(1.0 / 6.0);
    25.0 * (sixth(1.0 + x.powi(6)) - 3.0 * sixth(1.0 + (x / 3.0).powi(6)) + 2.0)
}

/// Annex B of the recommendation.
fn score(r: f64) -> f64 {
    let r = r.clamp(0.0, 100.0);
    // The polynomial dips below 1 for the worst ratings.
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_over_nothing_is_rated_as_the_recommendation_says() {
        // G.107 clause 7.7: "the calculation results in R = 93.2" with all default values.
        assert!((rating(0.0, 0.0) - 93.2).abs() < 0.1, "{}", rating(0.0, 0.0));
        assert!((mos(0.0, 0.0) - 4.41).abs() < 0.01, "{}", mos(0.0, 0.0));
    }

    #[test]
    fn delay_costs_what_the_usual_approximation_of_the_recommendation_says() {
        // Cole and Rosenbluth (2001), fitted to G.107: Id = 0.024 d + 0.11 (d − 177.3) where positive.
        for ms in [20.0_f64, 50.0, 100.0, 150.0, 200.0, 300.0] {
            let fitted = 93.2 - 0.024 * ms - 0.11 * (ms - 177.3).max(0.0);
            assert!((rating(ms, 0.0) - fitted).abs() < 2.5, "{ms} ms: {} against {fitted}", rating(ms, 0.0));
        }
    }

    #[test]
    fn loss_costs_what_g_113_says_of_g_711_with_concealment() {
        for (loss, cost) in [(0.01, 3.64), (0.05, 15.78), (0.10, 27.07)] {
            assert!((rating(0.0, 0.0) - rating(0.0, loss) - cost).abs() < 0.01, "{loss}");
        }
    }

    #[test]
    fn worse_never_sounds_better_and_nothing_is_off_the_scale() {
        let mut before = 4.5;
        for step in 0..=100 {
            let now = mos(f64::from(step) * 20.0, f64::from(step) / 100.0);
            assert!((1.0..=before).contains(&now), "step {step}: {now} after {before}");
            before = now;
        }
        assert!(mos(5_000.0, 1.0) < 1.01);
    }
}
