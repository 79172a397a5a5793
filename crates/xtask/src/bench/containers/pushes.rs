//! Images of one layer each, pushed by clients at once, all bytes made before the clock starts.

use std::thread;
use std::time::Instant;

use anyhow::{Result, bail};

use super::{Blob, CONFIG, MIB, Registry};
use crate::bench::median;

const ROUNDS: usize = 3;

/// A size of image.
struct Load {
    shown: &'static str,
    layer: usize,
    clients: usize,
    /// Images of one client in one round.
    each: usize,
}

const LOADS: [Load; 2] = [
    Load {
        shown: "layers of 10 MiB, 4 clients, MiB/s",
        layer: 10 * MIB,
        clients: 4,
        each: 15,
    },
    Load {
        shown: "images of 64 KiB, 8 clients, images/s",
        layer: 64 * 1024,
        clients: 8,
        each: 100,
    },
];

pub(super) fn run(registries: &[Registry]) -> Result<()> {
    let names: Vec<_> = registries.iter().map(|registry| registry.name).collect();
    println!(
        "\n| pushes | {} |\n|{}",
        names.join(" | "),
        " --- |".repeat(names.len() + 1)
    );
    for load in &LOADS {
        let mut rates = vec![Vec::new(); registries.len()];
        for round in 0..ROUNDS {
            for (registry, rates) in registries.iter().zip(&mut rates) {
                let images = push(registry, load, round)?;
                rates.push(if load.layer < MIB {
                    images
                } else {
                    images * megabytes(load.layer)
                });
            }
        }
        let shown: Vec<_> = rates
            .into_iter()
            .map(|rates| format!("{:.0}", median(rates)))
            .collect();
        println!("| {} | {} |", load.shown, shown.join(" | "));
    }
    Ok(())
}

fn megabytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes / MIB).unwrap_or(u32::MAX))
}

/// Images a second.
fn push(registry: &Registry, load: &Load, round: usize) -> Result<f64> {
    let repository = format!("bench/pushed-{}-{round}", load.layer);
    registry
        .open()?
        .push_blob(&repository, &Blob::new(CONFIG.to_vec()))?;
    let prepared: Vec<Vec<Blob>> = (0..load.clients)
        .map(|client| {
            (0..load.each)
                .map(|number| {
                    let seed = load.layer + (round * load.clients + client) * load.each + number;
                    Blob::noise(seed, load.layer)
                })
                .collect()
        })
        .collect();
    let began = Instant::now();
    let outcome = thread::scope(|scope| {
        let clients: Vec<_> = prepared
            .iter()
            .enumerate()
            .map(|(client, layers)| {
                let repository = &repository;
                scope.spawn(move || push_all(registry, repository, client, layers))
            })
            .collect();
        clients.into_iter().try_for_each(|client| {
            client
                .join()
                .unwrap_or_else(|_panic| bail!("a client panicked"))
        })
    });
    outcome?;
    let images = u32::try_from(load.clients * load.each)?;
    Ok(f64::from(images) / began.elapsed().as_secs_f64())
}

fn push_all(registry: &Registry, repository: &str, client: usize, layers: &[Blob]) -> Result<()> {
    let mut session = registry.open()?;
    for (number, layer) in layers.iter().enumerate() {
        session.push_image(repository, &format!("c{client}-{number}"), layer)?;
    }
    Ok(())
}
