"""Bars that are not the command's own."""


def hide_loading_bars() -> None:
    """Hide transformers' bars of loading weights: commands show their own."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
