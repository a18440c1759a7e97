"""Pictures from trained models."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.viz.alignment import alignment_figure as alignment_figure
    from seqnets.viz.attention import attention_figure as attention_figure
    from seqnets.viz.findings import findings_figure as findings_figure
    from seqnets.viz.regions import boxes_figure as boxes_figure
    from seqnets.viz.regions import place_figure as place_figure
    from seqnets.viz.regions import segments_figure as segments_figure
    from seqnets.viz.sheets import filter_sheet as filter_sheet
    from seqnets.viz.sheets import map_sheet as map_sheet
    from seqnets.viz.sheets import overlay as overlay
    from seqnets.viz.sheets import signed as signed
    from seqnets.viz.sheets import thumbnail_map as thumbnail_map
    from seqnets.viz.sheets import tile as tile
    from seqnets.viz.windows import drawing_sheet as drawing_sheet
    from seqnets.viz.windows import glimpses_sheet as glimpses_sheet

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "alignment": ["alignment_figure"],
            "findings": ["findings_figure"],
            "regions": ["boxes_figure", "place_figure", "segments_figure"],
            "attention": ["attention_figure"],
            "sheets": ["filter_sheet", "map_sheet", "overlay", "signed", "thumbnail_map", "tile"],
            "windows": ["drawing_sheet", "glimpses_sheet"],
        },
    )
