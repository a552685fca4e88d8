import io

from rich.console import Console

from monitorx.backend.demo.look import ModelFigures
from monitorx.backend.demo.story import Delivery, Scene, Seen
from monitorx.backend.demo.view import LineView, milliseconds, picture

ROW = ModelFigures("digits", "vision", 10, 2.04, 0.0002, 0.0527, 0.25)


def test_lines_tell_each_thing_once() -> None:
    output = io.StringIO()
    view = LineView(Console(file=output))
    delivery = Delivery("webhook", "firing", "ModelIsSlow", "standin-chat")

    view.show(Scene.HEALTHY, [], [], Seen())
    view.show(Scene.HEALTHY, [ROW], [], Seen(frozenset({"vision"})))
    view.show(Scene.HEALTHY, [ROW], [delivery], Seen(frozenset({"vision"})))
    view.show(Scene.SLOW, [ROW], [delivery], Seen(frozenset({"vision"})))

    assert output.getvalue().splitlines() == [
        "three unchanged scripts call their models",
        "  ✓ the onnxruntime model is seen",
        "    webhook: ModelIsSlow of standin-chat firing",
        "    digits                       vision       2.0 calls/s   p50  0.20 ms   p95  52.7 ms   errors    25%",
        "the chat model becomes slow",
    ]


def test_the_picture_shows_models_steps_and_alerts() -> None:
    output = io.StringIO()
    console = Console(file=output, width=100)

    delivery = Delivery("email", "firing", "FeatureDrifts", "trees", "x1")
    console.print(picture(Scene.SLOW, [ROW], [delivery], Seen(frozenset({"vision"}))))

    text = output.getvalue()
    assert "✓ the onnxruntime model is seen" in text
    assert "· the chat model is seen" in text
    assert "52.7 ms" in text
    assert "email: FeatureDrifts of trees, x1 firing" in text


def test_figures_that_are_not_known_are_a_dash() -> None:
    assert milliseconds(None) == "–"
