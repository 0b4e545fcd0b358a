//! What is known of a file of G-code without reading it.

use std::time::Duration;

/// Facts of a file, by Moonraker's scan of it. What the slicer did not write is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metadata {
    /// Size, in bytes.
    pub size: Option<u64>,
    /// Last change, since the Unix epoch.
    pub modified: Option<Duration>,
    /// Name of the slicer.
    pub slicer: Option<String>,
    /// The slicer's estimate of the whole print.
    pub estimated_time: Option<Duration>,
    /// First byte that prints.
    pub gcode_start_byte: Option<u64>,
    /// Byte behind the last one that prints.
    pub gcode_end_byte: Option<u64>,
    /// Number of layers.
    pub layer_count: Option<u32>,
    /// Height of a layer, in mm.
    pub layer_height: Option<f64>,
    /// Height of the first layer, in mm.
    pub first_layer_height: Option<f64>,
    /// Height of the whole, in mm.
    pub object_height: Option<f64>,
    /// Filament that it takes, in mm.
    pub filament_total: Option<f64>,
    /// Filament that it takes, in grams.
    pub filament_weight: Option<f64>,
    /// Kinds of filament, one for each tool, as the slicer parts them: with `;`.
    pub filament_type: Option<String>,
    /// Nozzle, in mm.
    pub nozzle_diameter: Option<f64>,
    /// Nozzle of the first layer, in °C.
    pub first_layer_nozzle_temperature: Option<f64>,
    /// Bed of the first layer, in °C.
    pub first_layer_bed_temperature: Option<f64>,
    /// Pictures of the part, as they come.
    pub thumbnails: Vec<Thumbnail>,
}

/// A picture of the part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Width, in pixels.
    pub width: u32,
    /// Height, in pixels.
    pub height: u32,
    /// Size, in bytes.
    pub size: u64,
    /// Where it is: relative to the gcodes root.
    pub path: String,
}
