"""The layout of the page, and how it is served."""

import logging
import os
from importlib.util import find_spec

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from hf_mri.languages.words import ENGLISH
from hf_mri.page.accounts import find_users, make_gate
from hf_mri.page.api import add_endpoints
from hf_mri.page.batcher import Desk
from hf_mri.page.downloads import DICOM_SEG
from hf_mri.page.events import Parts, TabEvents
from hf_mri.page.examples import draw_examples
from hf_mri.page.guard import Guard
from hf_mri.page.models import HELP, Bundle, list_names, load_bundles
from hf_mri.page.sessions import Visits
from hf_mri.page.static_files import list_routes, read_static
from hf_mri.page.thumbnails import style_thumbnails
from hf_mri.page.tools import offer_only_tools
from hf_mri.page.translations import FOOT, HEAD, IDLE, VIEWER, say_login, text, title, title_of, translate
from hf_mri.page.viewer import make_viewer
from hf_mri.page.visitors import Uploads, visitor_of

logger = logging.getLogger(__name__)
UNFIT = (
    "The inputs do not fit this endpoint: give all of them, each of its kind, and files as they were uploaded, "
    "or call /gradio_api/call/v2/NAME, which takes them by name."
)
UPLOADS_KEPT = 600  # seconds at most; a scan is in memory as soon as it is read
MOST_WAITING = 64  # events of all visitors; one more is told that the page is busy
DOWNLOADS = ("masks", "nifti", "rle", "json", "report", "pairs", *([DICOM_SEG] if find_spec("highdicom") else []))


class Page(gr.Blocks):
    """The page with what it holds for its visitors."""

    def __init__(self, kept: int, **options):
        self._tools = None
        super().__init__(delete_cache=(min(60, kept), kept), **options)
        self.visits = Visits()
        self.uploads = Uploads(get_upload_folder(), kept)

    @property
    def mcp_server_obj(self):
        """Gradio's MCP server, once it is made; it is given away before the first request with fewer tools."""
        return self._tools

    @mcp_server_obj.setter
    def mcp_server_obj(self, server) -> None:
        if server:
            offer_only_tools(server)
        self._tools = server

    async def process_api(self, *args, **options):
        """Answer an event; what nobody foresaw is told in a sentence, since Gradio would tell nothing."""
        try:
            return await super().process_api(*args, **options)
        except gr.Error:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError, RuntimeError) as error:
            # Gradio's own checks of the inputs end here; what it says names components and folders.
            logger.warning("an event failed: %s", type(error).__name__)
            raise gr.Error(UNFIT, print_exception=False) from None


def build_tab(bundle: Bundle, others: list[Bundle], desk: Desk, page: Page) -> None:
    """Lay out one model's tab: what goes in on the left, the answer and the viewer on the right."""
    key, config = bundle.name, bundle.reader.config
    with gr.Row(elem_classes="page-tab"):
        with gr.Column(elem_classes="side", scale=0):
            files = gr.File(
                label=text("page.files"),
                file_count="multiple",
                height=150,
                elem_id=f"{key}-files",
                elem_classes="scan-files",
            )
            dropped = gr.State([])
            choice = gr.Radio(
                [], label=text("page.choice"), visible=False, elem_id=f"{key}-choice", elem_classes="choice"
            )
            menu = gr.HTML("", apply_default_css=False, elem_classes="style")
            with gr.Row(elem_classes="examples"):
                examples = [
                    (gr.Button(title(example.title), elem_id=f"{key}-{example.name}"), example)
                    for example in draw_examples(bundle.task)
                ]
                pictures = {f"#{key}-{example.name}": example.picture for _, example in examples}
                gr.HTML(style_thumbnails(pictures), apply_default_css=False, elem_classes="style")
            with gr.Accordion(text("page.sensitivity"), open=False, visible=bundle.has_masks, elem_classes="later"):
                sliders = build_sliders(bundle, config)
            with (
                gr.Accordion(text("page.downloads"), open=True, elem_classes="later"),
                gr.Row(elem_classes="downloads"),
            ):
                downloads = {
                    kind: gr.Button(text(f"page.{kind}"), size="sm", interactive=False, elem_id=f"{key}-{kind}")
                    for kind in DOWNLOADS
                    if bundle.has_masks or kind in ("report", "json")
                }
            with gr.Accordion(text("page.spacing"), open=False, elem_classes="later"):
                gr.Markdown(text("page.spacing_hint"))
                with gr.Row():
                    spacing = [
                        gr.Number(None, label=text(f"page.{axis}"), placeholder=text("page.unknown"), min_width=60)
                        for axis in ("rows", "columns", "slices")
                    ]
                again = gr.Button(text("page.apply"), size="sm", elem_id=f"{key}-again")
            ready = gr.DownloadButton(text("page.downloads"), visible="hidden", elem_id=f"{key}-ready")
        with gr.Column(elem_classes="main", scale=1):
            answer = gr.HTML(text(IDLE), elem_id=f"{key}-answer")
            viewer = make_viewer(f"{key}-viewer", text(VIEWER))
            with gr.Accordion(text("page.measurements"), open=False):
                measures = gr.HTML("", elem_classes="measures")
            with gr.Accordion(text("page.about"), open=False, elem_classes="later"):
                link = f"[{text('page.card')}]({bundle.link})\n\n" if bundle.link else ""
                gr.Markdown(link + (bundle.card or str(text("page.no_card"))))
    parts = Parts(
        files, dropped, examples, choice, menu, spacing, again, sliders, downloads, ready, answer, viewer, measures
    )
    TabEvents(bundle, others, desk, page.visits, page.uploads, parts).connect()


def build_sliders(bundle: Bundle, config) -> dict[str, gr.Slider]:
    """Return the threshold sliders that this model has, at the values that were chosen on validation patients."""
    sliders = {}
    if bundle.has_masks:
        sliders["mask_threshold"] = gr.Slider(
            0.05,
            0.95,
            config.mask_threshold,
            step=0.01,
            label=text("page.mask_threshold"),
            info=text("page.mask_threshold_hint"),
            elem_id=f"{bundle.name}-mask-threshold",
        )
    if bundle.has_gate:
        sliders["gate_threshold"] = gr.Slider(
            0.0,
            1.0,
            config.gate_threshold,
            step=0.001,
            label=text("page.gate_threshold"),
            info=text("page.gate_threshold_hint"),
            elem_id=f"{bundle.name}-gate-threshold",
        )
    if bundle.has_masks:
        sliders["smallest_lesion"] = gr.Slider(
            0,
            500,
            config.smallest_lesion,
            step=1,
            label=text("page.smallest_lesion"),
            info=text("page.smallest_lesion_hint"),
            elem_id=f"{bundle.name}-smallest",
        )
    return sliders


def build_page() -> Page:
    """Return the whole page for the models that are found."""
    bundles, problems = load_bundles(list_names())
    desks = {bundle.name: Desk(bundle.reader) for bundle in bundles}
    kept = int(os.environ.get("HF_MRI_UPLOADS_KEPT", UPLOADS_KEPT))

    def forget(request: gr.Request) -> None:
        page.visits.forget(visitor_of(request))

    with Page(kept, title=ENGLISH.say("page.title"), analytics_enabled=False, fill_width=True) as page:
        gr.HTML(text(HEAD), js_on_load=read_static("theme.js"), apply_default_css=False)
        if problems or not bundles:
            gr.Markdown("\n\n".join([*(f"**Not loaded:** {line}" for line in problems), "" if bundles else HELP]))
        if bundles:
            add_endpoints(bundles, desks, page.uploads)  # before the tabs, whose own events would take the names
        if len(bundles) == 1:
            build_tab(bundles[0], [], desks[bundles[0].name], page)
        elif bundles:
            with gr.Tabs():
                for bundle in bundles:
                    with gr.Tab(title_of(bundle)):
                        build_tab(
                            bundle, [other for other in bundles if other is not bundle], desks[bundle.name], page
                        )
        gr.HTML(text(FOOT), elem_classes="page-foot")
        page.translations = translate(bundles)
        page.unload(forget)
    return page.queue(max_size=MOST_WAITING, default_concurrency_limit=16)


def serve(page: Page, **options) -> None:
    """Serve the page until it is stopped; options are those of Gradio's launch."""
    list_users = find_users()
    # Uvicorn believes any neighbor's word about where a visitor comes from, unless it is told whom to believe.
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
    page.launch(
        auth=make_gate(list_users) if list_users else None,
        app_kwargs={
            "middleware": [Middleware(Guard, uploads=page.uploads, list_users=list_users)],
            "routes": list_routes(),
        },
        i18n=page.translations,
        auth_message=say_login(),
        max_file_size=os.environ.get("HF_MRI_MAX_UPLOAD", "500mb"),
        theme=gr.themes.Base(
            primary_hue="teal",
            secondary_hue="teal",
            neutral_hue="slate",
            radius_size="lg",
            font=[gr.themes.LocalFont("Source Sans Pro", weights=(400, 600, 700)), "system-ui", "sans-serif"],
        ).set(
            body_text_color_subdued="*neutral_600",
            block_label_text_color="*neutral_600",
            block_info_text_color="*neutral_600",
            input_placeholder_color="*neutral_500",
            link_text_color="*secondary_700",
            link_text_color_visited="*secondary_700",
        ),
        css=read_static("style.css") + read_static("viewer.css"),
        footer_links=["api", "gradio"],
        run_history=False,  # it would keep scans in the browser
        enable_monitoring=False,
        mcp_server=find_spec("mcp") is not None,
        ssr_mode=False,
        max_threads=80,
        **options,
    )
