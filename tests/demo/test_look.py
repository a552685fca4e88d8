from monitorx.backend.demo.look import ModelFigures, merge


def test_a_row_joins_a_model_with_its_figures() -> None:
    models = [{"model": "digits", "version": "1", "kind": "vision", "requests": 10, "errors": 0}]
    figures = {"rate": 2.0, "p50_s": 0.2, "p95_s": 0.3, "error_ratio": 0.0}
    aggregates = [{"start": "", "group": {"model": name}, **figures} for name in ("digits", "gone")]

    assert merge(models, aggregates) == [ModelFigures("digits", "vision", 10, 2.0, 0.2, 0.3, 0.0)]


def test_versions_of_a_model_are_one_row() -> None:
    models = [
        {"model": "m", "version": "1", "kind": "tabular", "requests": 10, "errors": 0},
        {"model": "m", "version": "2", "kind": "tabular", "requests": 5, "errors": 0},
    ]

    assert merge(models, []) == [ModelFigures("m", "tabular", 15)]


def test_rows_are_in_the_order_of_their_names() -> None:
    models = [{"model": name, "version": "", "kind": "llm", "requests": 1} for name in ("b", "a")]

    assert [row.model for row in merge(models, [])] == ["a", "b"]
