import numpy as np
import pytest
from sklearn.cluster import DBSCAN
from sklearn.datasets import make_blobs
from sklearn.manifold import Isomap
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from shale.sklearn import ShaleTransformer


@parametrize_with_checks(
    [ShaleTransformer(), ShaleTransformer(mode="connectivity"), ShaleTransformer(metric="cosine", n_neighbors=3)]
)
def test_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def samples():
    return make_blobs(600, 12, centers=8, random_state=3)


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine"])
def test_gives_the_graph_of_the_exact_transformer(samples, mode, metric):
    x = samples[0]
    ours = ShaleTransformer(mode=mode, metric=metric, codes="fp32").fit(x[:500]).transform(x[500:])
    true = KNeighborsTransformer(mode=mode, metric=metric).fit(x[:500]).transform(x[500:])
    assert ours.shape == true.shape and ours.nnz == true.nnz
    np.testing.assert_allclose(ours.toarray(), true.toarray(), rtol=1e-3, atol=1e-4)


def test_neighbours_of_the_samples_fitted_leave_themselves_out(samples):
    x = samples[0]
    t = ShaleTransformer(codes="fp32").fit(x)
    distances, numbers = t.kneighbors(n_neighbors=4)
    assert not (numbers == np.arange(len(x))[:, None]).any()
    true = KNeighborsTransformer().fit(x).kneighbors(n_neighbors=4)
    np.testing.assert_allclose(distances, true[0], rtol=1e-3)
    assert t.kneighbors_graph(n_neighbors=4).shape == (600, 600)


def test_serves_estimators_of_precomputed_graphs(samples):
    x, y = samples
    classify = make_pipeline(ShaleTransformer(n_neighbors=6), KNeighborsClassifier(5, metric="precomputed"))
    assert classify.fit(x[:500], y[:500]).score(x[500:], y[500:]) == 1.0
    clusters = make_pipeline(ShaleTransformer(n_neighbors=40), DBSCAN(eps=4, metric="precomputed")).fit_predict(x)
    assert len(set(clusters) - {-1}) == 8
    embedded = make_pipeline(
        ShaleTransformer(n_neighbors=100), Isomap(n_neighbors=100, metric="precomputed")
    ).fit_transform(x)
    assert embedded.shape == (600, 2)


@pytest.mark.parametrize("setting", [{"metric": "manhattan"}, {"mode": "both"}, {"codes": "fp8"}, {"n_neighbors": 0}])
def test_refuses_settings(samples, setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        ShaleTransformer(**setting).fit_transform(samples[0])
    with pytest.raises(ValueError, match="n_neighbors"):
        ShaleTransformer(n_neighbors=700).fit(samples[0]).transform(samples[0])
